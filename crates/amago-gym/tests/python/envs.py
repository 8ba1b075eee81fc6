"""Environments for the tests: one with every space, one that breaks in a chosen way, an old one, one with a state."""

import ctypes
import os
import struct
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Spaces(gym.Env):
    """Every kind of space, nested; each observation is the time in its own way."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, action="discrete", render_mode=None):
        self.render_mode = render_mode
        self.observation_space = spaces.Dict(
            {
                "box": spaces.Box(-1.0, 100.0, (2, 2), np.float64),
                "image": spaces.Box(0, 255, (4, 3, 3), np.uint8),
                "gray": spaces.Box(0, 255, (4, 3), np.uint8),
                "frames": spaces.Box(0, 255, (2, 4, 3, 3), np.uint8),
                "tuple": spaces.Tuple([spaces.Discrete(100, start=-5), spaces.MultiDiscrete([50, 60])]),
                "deep": spaces.Dict({"bits": spaces.MultiBinary(3), "text": spaces.Text(30)}),
                "one": spaces.Box(-np.inf, np.inf, (), np.float32),
            }
        )
        self.action_space = {
            "discrete": spaces.Discrete(3, start=10),
            "multi_discrete": spaces.MultiDiscrete([3, 4]),
            "multi_binary": spaces.MultiBinary(3),
            "box": spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64),
            "whole": spaces.Box(0, 255, (2,), np.uint8),
            "dict": spaces.Dict({"a": spaces.Discrete(2)}),
            "endless": spaces.Box(-np.inf, np.inf, (1,)),
        }[action]
        self.time = 0

    def observe(self):
        t = self.time
        return {
            "box": np.array([[t, 1], [2, 3]], np.float64),
            "image": np.full((4, 3, 3), t, np.uint8),
            "gray": np.arange(12, dtype=np.uint8).reshape(4, 3),
            "frames": np.arange(72, dtype=np.uint8).reshape(2, 4, 3, 3),
            "tuple": (t - 5, np.array([t, t + 1])),
            "deep": {"bits": np.array([t & 1, (t >> 1) & 1, 1], np.int8), "text": "go to the Red ball" if t else "wait."},
            "one": np.float32(t / 2),
        }

    def info(self):
        mask = np.array([1, self.time % 2, 1], np.int8)
        return {"action_mask": mask, "time": self.time, "deep": {"half": self.time / 2}, "success": self.time == 2}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0 if options is None else options["time"]
        return self.observe(), self.info()

    def step(self, action):
        assert action in self.action_space, f"{action!r} is not in {self.action_space}"
        self.time += 1
        self.last = action
        return self.observe(), float(np.sum(action)), self.time == 4, False, self.info()

    def render(self):
        return np.full((2, 5, 3), self.time, np.uint8)


class Old:
    """The interface of before: four values, a seed of its own."""

    def __init__(self, limit=3):
        self.observation_space = spaces.Box(-1e6, 1e6, (1,))
        self.action_space = spaces.Discrete(2)
        self.limit = limit
        self.seeded = 0

    def seed(self, seed):
        self.seeded = seed % 1000

    def reset(self):
        self.time = 0
        return np.array([self.seeded])

    def step(self, action):
        self.time += 1
        cut = self.time == self.limit
        return [float(action)], 1, cut, {"TimeLimit.truncated": cut and self.limit == 3}


def socket():
    return sys.modules["__main__"].sock


def half(whole):
    socket().sendall(struct.pack("<BI", ord("V"), 10_000) + b"only this")
    if not whole:
        os._exit(3)
    time.sleep(60)


FAULTS = {
    "exception": lambda: 1 / 0,
    "exit": lambda: sys.exit(3),
    "end": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "abort": lambda: os.abort(),
    "killed": lambda: os.kill(os.getpid(), 9),
    "hang": lambda: time.sleep(60),
    "hang_with_gil": lambda: ctypes.PyDLL(None).sleep(60),
    "half": lambda: half(False),
    "half_and_hang": lambda: half(True),
    "garbage": lambda: socket().sendall(bytes(range(200, 250))),
    "huge": lambda: socket().sendall(struct.pack("<BI", ord("V"), 0xFFFFFFFF)),
    "text": lambda: socket().sendall(struct.pack("<BI", ord("E"), 0xFFFFFFF0) + b"x"),
    "shape": lambda: np.zeros(5),
    "empty": lambda: np.zeros((0,)),
    "type": lambda: np.array(["a", "b", "c", "d"]),
    "none": lambda: None,
    "nan": lambda: np.full(4, np.nan),
    "infinite": lambda: np.full(4, np.inf),
    "outside": lambda: np.full(4, 1e30),
    "reward_nan": lambda: None,
    "reward_text": lambda: None,
    "reward_none": lambda: None,
    "reset": lambda: None,
    "values": lambda: None,
}


class Broken(gym.Wrapper):
    """Breaks in its third step: always in one way, or some episodes in the way that their seed says."""

    def __init__(self, env, fault):
        super().__init__(env)
        self.fault = fault

    def reset(self, *, seed=None, options=None):
        names = sorted(FAULTS)
        if self.fault == "seed":
            self.chosen = names[seed // 7 % len(names)] if seed % 4 == 0 else ""
        else:
            self.chosen = self.fault
        self.time = 0
        if self.chosen == "reset":
            raise RuntimeError("cannot begin")
        return self.env.reset(seed=seed, options=options)

    def step(self, action):
        result = list(self.env.step(action))
        self.time += 1
        if self.time == 3 and self.chosen:
            print("about to break:", self.chosen)
            value = FAULTS[self.chosen]()
            if self.chosen in ("shape", "empty", "type", "none", "nan", "infinite", "outside"):
                result[0] = value
            if self.chosen.startswith("reward"):
                result[1] = {"reward_nan": float("nan"), "reward_text": "much", "reward_none": None}[self.chosen]
            if self.chosen == "values":
                result = result[:3]
        return tuple(result)


class Saved(gym.Wrapper):
    """Has a state."""

    def save_state(self):
        u = self.env.unwrapped
        return struct.pack("<4dI", *u.state, self.env._elapsed_steps)

    def load_state(self, state):
        *numbers, steps = struct.unpack("<4dI", state)
        self.env.unwrapped.state = np.array(numbers)
        self.env._elapsed_steps = steps


class Child(gym.Wrapper):
    """Starts a process that nobody ends."""

    def __init__(self, env, hang):
        super().__init__(env)
        self.child = subprocess.Popen(["sleep", "1000"])
        self.hang = hang

    def step(self, action):
        if self.hang:
            ctypes.PyDLL(None).sleep(60)
        return self.env.step(action)


class Noisy(gym.Wrapper):
    """Prints, from Python and past it."""

    def step(self, action):
        print("noise")
        os.write(1, b"noise\n")
        return self.env.step(action)


class Slow(gym.Wrapper):
    """Takes a while."""

    def step(self, action):
        time.sleep(0.3)
        return self.env.step(action)


def broken(fault):
    return Broken(gym.make("CartPole-v1"), fault)


def child(hang):
    return Child(gym.make("CartPole-v1"), hang)


class Counter(gym.Env):
    """Its observation is the step within the episode, which ends after five."""

    def __init__(self, lane, breaks):
        self.observation_space = spaces.Box(0.0, 5.0, (1,))
        self.action_space = spaces.Discrete(2)
        self.lane, self.breaks = lane, breaks

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(1, np.float32), {"t": 0.0}

    def step(self, action):
        self.time += 1
        if self.breaks and self.time == 2:
            raise RuntimeError(f"lane {self.lane} broke")
        return np.full(1, self.time, np.float32), 1.0, self.time == 5, False, {"t": float(self.time)}


def vector(num_envs, mode, breaks=False):
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    make = [lambda lane=lane: Counter(lane, breaks) for lane in range(num_envs)]
    return SyncVectorEnv(make, autoreset_mode=AutoresetMode(mode))


def scaled(env):
    from gymnasium.wrappers.vector import TransformReward

    return TransformReward(env, lambda reward: 7 * reward)
