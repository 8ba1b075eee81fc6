"""Records episodes of the original environments for crates/amago-env/tests/traces.rs.

Run by hand, once; the recordings are committed. Needs numpy, gymnasium and, on PYTHONPATH, the
sources of

* github.com/UT-Austin-RPL/amago          (MazeRunner, frozen lake, key-to-door, T-Maze)
* github.com/twni2016/pomdp-baselines     (Wind, point robot; with `gym` or an alias of gymnasium)

    python xtask/record_traces.py crates/amago-env/tests/traces

The committed files were recorded from the environment classes of amago at commits 01448ca (mazerunner),
40d4eb8 (toy_gym) and 10654a8 (tmaze) and of pomdp-baselines at 23031e9, without their plotting code.

Every episode holds its hidden part, the actions and all that came back, so that a test can rebuild
the hidden part and replay the actions. `random_play` holds means and standard errors of uniform
actions, to compare distributions.
"""

import json
import random
import statistics
import sys
from pathlib import Path

import numpy as np
from amago.envs.builtin import mazerunner, tmaze, toy_gym
from envs.meta.toy_navigation import point_robot, wind

EPISODES = 20
RANDOM_EPISODES = 1000
SEED = 2026


def flat(obs):
    """Observation as one list, keys sorted as in our columns."""
    parts = [obs[k] for k in sorted(obs)] if isinstance(obs, dict) else [obs]
    return [round(float(x), 7) for part in parts for x in np.asarray(part).flatten()]


def ints(pairs):
    return [[int(a), int(b)] for a, b in pairs]


class Maze:
    id = "mazerunner"

    def __init__(self, maze_dim, num_goals, time_limit, randomized_action_space):
        core = mazerunner.MazeRunnerGymEnv(
            maze_dim, num_goals, num_goals, time_limit, False, randomized_action_space
        )
        self.env = mazerunner.RelabelInfoWrapper(core)
        self.reset, self.step = lambda: self.env.reset()[0], self.env.step

    def task(self):
        core = self.env.env
        walls = ["".join("#" if x else "." for x in row) for row in core.maze]
        return {"walls": walls, "goals": ints(core.goal_positions), "moves": ints(core.action_dirs)}

    def action(self):
        return random.randrange(5)


class Lake:
    id = "meta-frozen-lake"

    def __init__(self, size, k_episodes, recover_mode, max_episode_steps):
        # The recorded commit is older than the limit of attempts: ours is set too high to matter.
        self.env = toy_gym.MetaFrozenLake(size, k_episodes, False, recover_mode)
        self.reset, self.step = lambda: self.env.reset()[0], self.env.step

    def task(self):
        rows = ["".join("H" if x == "H" else "F" for x in row) for row in self.env.current_map]
        return {"rows": rows, "swapped": False}

    def action(self):
        return random.randrange(5)


class Room:
    id = "dark-key-to-door"

    def __init__(self, **options):
        self.env = toy_gym.RoomKeyDoor(**options)
        self.reset, self.step = lambda: self.env.reset()[0], self.env.step

    def task(self):
        env = self.env
        places = {k: [int(x) for x in v] for k, v in (("start", env.start), ("key", env.key), ("door", env.goal))}
        return {**places, "moves": ints(env.dirs)}

    def action(self):
        return random.randrange(5)


class Corridor:
    def __init__(self, **options):
        self.env = self.kind(**options)
        self.reset, self.step = lambda: self.env.reset()[0], self.env.step

    def task(self):
        return {"up": self.env.goal_y == 1}

    def action(self):
        return 0 if random.random() < 0.7 else random.randrange(4)


class Passive(Corridor):
    id, kind = "tmaze-passive", tmaze.TMazeAltPassive


class Active(Corridor):
    id, kind = "tmaze-active", tmaze.TMazeAltActive


class Plane:
    """Old gym environments: done means out of time."""

    def reset(self):
        self.env.reset_task(None)
        return self.env._get_obs()

    def step(self, action):
        obs, reward, done, _ = self.env.step(np.float32(0.1) * np.asarray(action, dtype=np.float32))
        return obs, reward, False, done, {}

    def action(self):
        # Mostly towards the goal, so that some episodes reach it.
        away = (self.env._goal - self.env._state) / 0.1 + np.random.normal(0, 0.5, 2)
        if random.random() < 0.3:
            away = np.random.uniform(-1, 1, 2)
        return [round(float(x), 4) for x in np.clip(away, -1, 1)]


class Wind(Plane):
    id = "wind"

    def __init__(self, horizon, goal_radius):
        self.env = wind.WindEnv(max_episode_steps=horizon, goal_radius=goal_radius)
        np.random.seed(SEED)

    def reset(self):
        # The published list has a fixed seed: each episode draws from its distribution instead.
        self.env.set_goal(np.random.uniform(-0.08, 0.08, 2))
        return super().reset()

    def task(self):
        return {"wind": [float(x) for x in self.env._wind]}


class Robot(Plane):
    id = "point-robot"

    def __init__(self, horizon, reward, random_start):
        assert reward == "indicator" and random_start
        self.env = point_robot.SparsePointEnv(max_episode_steps=horizon, n_tasks=1)
        np.random.seed(SEED)

    def reset(self):
        angle = np.random.uniform(0, np.pi)
        self.env.set_goal([np.cos(angle), np.sin(angle)])
        return super().reset()

    def task(self):
        start, goal = self.env._state, self.env._goal
        return {"start": [float(x) for x in start], "goal": [float(x) for x in goal]}


def episode(env):
    obs = [flat(env.reset())]
    record = {"task": env.task(), "actions": [], "rewards": [], "obs": obs}
    while True:
        action = env.action()
        seen, reward, terminated, truncated, _ = env.step(action)
        record["actions"].append(action)
        record["rewards"].append(round(float(reward), 7))
        obs.append(flat(seen))
        if terminated or truncated:
            # Flags are false until here.
            return {**record, "end": [bool(terminated), bool(truncated)]}


def uniform(env):
    if isinstance(env, Plane):
        return np.random.uniform(-1, 1, 2)
    return random.randrange(4 if isinstance(env, Corridor) else 5)


def random_play(env):
    returns, lengths = [], []
    for _ in range(RANDOM_EPISODES):
        env.reset()
        total, steps, over = 0.0, 0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(uniform(env))
            total, steps, over = total + float(reward), steps + 1, terminated or truncated
        returns.append(total)
        lengths.append(steps)
    spread = lambda v: [statistics.fmean(v), statistics.stdev(v) / RANDOM_EPISODES**0.5]
    return {"episodes": RANDOM_EPISODES, "return": spread(returns), "length": spread(lengths)}


def record(kind, options):
    random.seed(SEED)
    np.random.seed(SEED)
    env = kind(**options)
    episodes = [episode(env) for _ in range(EPISODES)]
    return {"env": kind.id, "options": options, "episodes": episodes, "random_play": random_play(env)}


MAZE = {"maze_dim": 11, "num_goals": 3, "time_limit": 250, "randomized_action_space": False}
LAKE = {"size": 5, "k_episodes": 10, "recover_mode": False, "max_episode_steps": 1_000_000}
ROOM = {"dark": True, "size": 9, "max_episode_steps": 50, "meta_rollout_horizon": 500, "randomize_actions": False}
SETS = [
    (Maze, [MAZE, {"maze_dim": 8, "num_goals": 2, "time_limit": 120, "randomized_action_space": True}]),
    (Lake, [LAKE, {**LAKE, "size": 3, "k_episodes": 4}, {**LAKE, "size": 4, "k_episodes": 2, "recover_mode": True}]),
    (Room, [ROOM, {**ROOM, "dark": False, "size": 4, "max_episode_steps": 20, "meta_rollout_horizon": 150,
                   "randomize_actions": True}]),
    (Passive, [{"corridor_length": 10}, {"corridor_length": 4, "penalty": -0.25, "goal_reward": 2.0}]),
    (Active, [{"corridor_length": 10}, {"corridor_length": 3, "penalty": -0.5}]),
    (Wind, [{"horizon": 75, "goal_radius": 0.03}, {"horizon": 30, "goal_radius": 0.3}]),
    (Robot, [{"horizon": 60, "reward": "indicator", "random_start": True}]),
]

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for kind, variants in SETS:
        sets = [record(kind, options) for options in variants]
        path = folder / f"{kind.id}.json"
        path.write_text(json.dumps(sets, separators=(",", ":")) + "\n")
        print(f"{path}: {path.stat().st_size} bytes")
