"""The 42 tasks of the package, with flat observations and actions as AMAGO presents them."""

import gymnasium as gym
import numpy as np
import popgym
from popgym.wrappers import DiscreteAction, Flatten

VERSION = "1.0.7"
FOLDER = "crates/amago-env/tests/popgym"


def names():
    """Ids of all tasks that need no further package, sorted."""
    ids = [entry["id"] for entry in popgym.envs.ALL.values()]
    return sorted(name for name in ids if "Labyrinth" not in name)


def make(name):
    """The task as the package makes it."""
    (task,) = [cls for cls, entry in popgym.envs.ALL.items() if entry["id"] == name]
    return task()


class Flat:
    """A task with one flat vector of observations and one action."""

    def __init__(self, name):
        self.task = make(name)
        self.env = Flatten(self.task)
        if not isinstance(self.env.action_space, gym.spaces.Box):
            self.env = DiscreteAction(self.env)
        self.observation_space = self.env.observation_space
        self.action_space = self.env.action_space

    def reset(self, seed=None):
        obs, _ = self.env.reset(seed=seed)
        return self._flat(obs)

    def step(self, action):
        """Observation, reward, terminated, truncated."""
        obs, reward, terminated, truncated, _ = self.env.step(action)
        return self._flat(obs), float(reward), bool(terminated), bool(truncated)

    def random_action(self, rng):
        if isinstance(self.action_space, gym.spaces.Box):
            low, high = self.action_space.low, self.action_space.high
            return rng.uniform(low, high).astype(np.float32)
        return int(rng.integers(self.action_space.n))

    def _flat(self, obs):
        space = self.observation_space
        if isinstance(space, gym.spaces.Box):
            return np.asarray(obs)
        choices = space.nvec if isinstance(space, gym.spaces.MultiDiscrete) else [space.n]
        one_hot = np.eye(int(max(choices)), dtype=np.int64)
        return one_hot[np.atleast_1d(obs)].reshape(-1)
