"""Records episodes of every task with all that chance decided in them.

One gzipped JSON file per task. An episode holds
- hidden: what chance decided at the reset (see `hidden`);
- noise: numbers drawn for each observation, the first one included;
- actions; rewards; terminated; truncated: one entry per step;
- observations: flat, without AMAGO's timer, one more than steps;
- states: of poles and pendulums, the state after each fiftieth step. A rounding error of another machine
  grows there ten-thousandfold in that time, so a replay has to be put right now and then.

Half of the episodes are random play. The rest is played by someone who sees everything, with and
without random mistakes, so that the ends of good play are recorded too.
"""

import argparse
import gzip
import json
import os
import zlib

import numpy as np
from gymnasium.envs.classic_control import CartPoleEnv, PendulumEnv

from experts import expert
from tasks import FOLDER, VERSION, Flat, names

# Chance of a random action in each episode.
MISTAKES = [1.0] * 12 + [0.0] * 6 + [0.1] * 6
STATE_EVERY = 50


class Recorder(np.random.Generator):
    """A generator that remembers the numbers drawn one observation at a time."""

    def __init__(self, seed):
        super().__init__(np.random.PCG64(seed))
        self.drawn = []

    def normal(self, *args, **kwargs):
        values = super().normal(*args, **kwargs)
        self.drawn.extend(np.asarray(values, dtype=np.float32))
        return values

    def random(self, size=None, **kwargs):
        values = super().random(size, **kwargs)
        if size is None:
            self.drawn.append(np.float32(values))
        return values

    def take(self):
        drawn, self.drawn = self.drawn, []
        return numbers(drawn)


def numbers(values):
    """Plain numbers, 32-bit ones in as few digits as tell them apart."""
    values = np.asarray(values)
    if values.dtype == np.float32:
        return [float(str(x)) for x in values]
    return values.tolist()


def hidden(task):
    """What chance decided at the reset."""
    if hasattr(task, "value_deck"):
        return np.concatenate([task.value_deck.idx, task.query_deck.idx])
    if hasattr(task, "deck"):
        return task.deck.idx
    if hasattr(task, "board"):
        return task.board.reshape(-1)
    if hasattr(task, "hidden_grid"):
        return task.hidden_grid.reshape(-1)
    if hasattr(task, "bandits"):
        return task.bandits
    return task.state


def record(name, seed, mistakes):
    env = Flat(name)
    task = env.task
    task.np_random = recorder = Recorder(seed)
    rng = np.random.default_rng([seed, 1])
    unstable = isinstance(task, (CartPoleEnv, PendulumEnv))
    episode = {"observations": [numbers(env.reset())], "hidden": numbers(hidden(task))}
    episode["noise"] = [recorder.take()]
    episode.update({key: [] for key in ("actions", "rewards", "terminated", "truncated")})
    if unstable:
        episode["states"] = []
    over = False
    while not over:
        wrong = rng.random() < mistakes
        action = env.random_action(rng) if wrong else expert(task)
        obs, reward, terminated, truncated = env.step(action)
        over = terminated or truncated
        episode["actions"].append(numbers(np.atleast_1d(action))[0])
        episode["observations"].append(numbers(obs))
        episode["noise"].append(recorder.take())
        episode["rewards"].append(numbers(np.float32([reward]))[0])
        episode["terminated"].append(terminated)
        episode["truncated"].append(truncated)
        if unstable and len(episode["actions"]) % STATE_EVERY == 0:
            episode["states"].append(numbers(task.state))
    return episode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(FOLDER, "traces"))
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    for name in names():
        base = zlib.crc32(name.encode()) + args.seed
        episodes = [record(name, [base, i], m) for i, m in enumerate(MISTAKES)]
        text = json.dumps(
            {"task": name, "package": f"popgym {VERSION}", "episodes": episodes},
            separators=(",", ":"),
        )
        path = os.path.join(args.out, f"{name}.json.gz")
        with open(path, "wb") as file:
            file.write(gzip.compress(text.encode(), mtime=0))
        steps = [len(e["actions"]) for e in episodes]
        print(f"{name}: {len(episodes)} episodes, {sum(steps)} steps, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
