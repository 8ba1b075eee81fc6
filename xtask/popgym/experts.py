"""Good play by someone who sees the hidden state, so that recordings reach the ends of good play."""

import numpy as np
from popgym.envs.autoencode import Mode


def expert(task):
    """An action of the flat action space."""
    kind = next(cls.__name__ for cls in type(task).__mro__ if cls.__name__ in EXPERTS)
    return EXPERTS[kind](task)


def autoencode(task):
    return int(task.deck.suits_idx[task.deck["system"][-1]]) if task.mode == Mode.PLAY else 0


def repeat_previous(task):
    hand = task.deck["player"]
    return int(task.deck.suits_idx[hand[-task.k]]) if len(hand) >= task.k else 0


def repeat_first(task):
    return int(task.card)


def count_recall(task):
    return int(task.counts[task.query])


def higher_lower(task):
    deck = task.deck
    following = deck.ranks_idx[deck.idx[len(deck) - 1]]
    return 0 if following > deck.ranks_idx[deck["player"][-1]] else 1


def battleship(task):
    return int(np.flatnonzero((task.board == 1) & (task.guesses == 0))[0])


def concentration(task):
    deck = task.deck
    down = [place for place in range(deck.num_cards) if place not in deck["face_up_idx"]]
    if not deck["in_play_idx"]:
        return down[0]
    first = deck["in_play_idx"][0]
    values = task.deck_idx_type[deck.idx]
    return next(place for place in down if place != first and values[place] == values[first])


def mine_sweeper(task):
    return int(np.flatnonzero(task.hidden_grid == 0)[0])


def bandit(task):
    return int(np.argmax(task.bandits))


def cart_pole(task):
    x, x_dot, theta, theta_dot = task.state
    return int(0.1 * x + 0.3 * x_dot + 3.0 * theta + theta_dot > 0)


def pendulum(task):
    theta, speed = task.state
    upright = (theta + np.pi) % (2 * np.pi) - np.pi
    torque = -10 * upright - 3 * speed if abs(upright) < 0.5 else 2.0 * np.sign(speed)
    return np.float32([np.clip(torque, -2, 2)])


EXPERTS = {
    "Autoencode": autoencode,
    "RepeatPrevious": repeat_previous,
    "RepeatFirst": repeat_first,
    "CountRecall": count_recall,
    "HigherLower": higher_lower,
    "Battleship": battleship,
    "Concentration": concentration,
    "MineSweeper": mine_sweeper,
    "MultiarmedBandit": bandit,
    "PositionOnlyCartPole": cart_pole,
    "VelocityOnlyCartPole": cart_pole,
    "PositionOnlyPendulum": pendulum,
}
