"""Makes the samples in this folder with the real package: see README.md.

    python -m venv env && env/bin/pip install minari==0.5.4 gymnasium==1.4.0 h5py pyarrow pillow
    env/bin/python make.py FOLDER
"""

import json
import os
import shutil
import sys

root = os.path.abspath(sys.argv[1])
os.environ["MINARI_DATASETS_PATH"] = root

import gymnasium as gym
import h5py
import minari
import numpy as np
from gymnasium import spaces as S
from minari.data_collector import EpisodeBuffer


class Everything(gym.Env):
    """Every kind of space that can be learned in."""

    observation_space = S.Dict(
        {
            "image": S.Box(0, 255, (32, 33, 3), np.uint8),
            "grey": S.Box(0, 255, (32, 32), np.uint8),
            "grid": S.Box(0, 255, (2, 3, 3), np.uint8),
            "place": S.Dict({"at": S.Discrete(3, start=1), "bits": S.MultiBinary(2)}),
            "pair": S.Tuple((S.Box(-1, 1, (1,), np.float64), S.Discrete(2))),
            "which": S.MultiDiscrete([2, 3]),
        }
    )
    action_space = S.MultiDiscrete([2, 4])

    def observe(self):
        obs = self.observation_space.sample()
        # Smooth, because noise is what JPEG cannot pack.
        x, y = np.meshgrid(np.arange(33), np.arange(32))
        obs["image"] = np.stack([4 * x, 4 * y, x + y + 10 * self.t], axis=-1).astype(np.uint8)
        obs["grey"] = (3 * (x + y) + self.t)[:, :32].astype(np.uint8)
        return obs

    def reset(self, seed=None, options=None):
        self.t = 0
        self.observation_space.seed(seed)
        return self.observe(), {}

    def step(self, action):
        self.t += 1
        return self.observe(), 0.25 * self.t, self.t == 4, False, {}


def stacked(values):
    if isinstance(values[0], dict):
        return {key: stacked([v[key] for v in values]) for key in values[0]}
    if isinstance(values[0], tuple):
        return tuple(stacked([v[i] for v in values]) for i in range(len(values[0])))
    return np.array(values)


def play(env, policy, seed, steps):
    obs, _ = env.reset(seed=seed)
    episode = [[obs], [], [], [], []]
    for t in range(steps):
        action = policy(obs)
        obs, reward, terminated, truncated, _ = env.step(action)
        truncated = truncated or (t == steps - 1 and not terminated)
        for values, value in zip(episode, (obs, action, float(reward), bool(terminated), bool(truncated))):
            values.append(value)
        if terminated or truncated:
            break
    obs, actions, rewards, terminations, truncations = episode
    return EpisodeBuffer(
        id=None, seed=seed, observations=stacked(obs), actions=np.array(actions), rewards=rewards,
        terminations=terminations, truncations=truncations, infos={},
    )


def make(name, env, episodes, data_format):
    task = dict(env=env) if env.spec else dict(
        observation_space=env.observation_space, action_space=env.action_space
    )
    return minari.create_dataset_from_buffers(
        f"{name}/{data_format}-v0", buffer=episodes, data_format=data_format, algorithm_name="recorded",
        author="amago", author_email="nobody@example.org", code_permalink="https://example.org", **task,
    )


def flat(values, name, found):
    if isinstance(values, dict):
        for key, value in values.items():
            flat(value, f"{name}/{key}" if name else key, found)
    elif isinstance(values, tuple):
        for i, value in enumerate(values):
            flat(value, f"{name}/{i}", found)
    else:
        values = np.asarray(values)
        found[name or "observation"] = (
            values.tobytes().hex() if values.dtype == np.uint8 else values.reshape(-1).tolist()
        )
    return found


def expected(dataset):
    return [
        {
            "observations": flat(e.observations, "", {}),
            "actions": np.asarray(e.actions).reshape(-1).tolist(),
            "rewards": np.asarray(e.rewards).tolist(),
            "terminations": np.asarray(e.terminations).tolist(),
        }
        for e in dataset.iterate_episodes()
    ]


def packed_again(name):
    """The same as a file whose columns are packed, as `h5repack` leaves it."""
    shutil.copytree(f"{root}/{name}/hdf5-v0", f"{root}/{name}/gzip-v0")
    path = f"{root}/{name}/gzip-v0/data/main_data.hdf5"
    os.remove(path)
    with h5py.File(f"{root}/{name}/hdf5-v0/data/main_data.hdf5") as old, h5py.File(path, "w", libver="latest") as new:
        def copy(where, value):
            if isinstance(value, h5py.Dataset):
                new.create_dataset(where, data=value[()], compression="gzip", shuffle=True, fletcher32=True)
        old.visititems(copy)


def main():
    cart = gym.make("CartPole-v1")
    balance = lambda o: int(o @ np.array([0.1, 0.5, 1.0, 1.0]) > 0)
    pendulum = gym.make("Pendulum-v1")
    pendulum.action_space.seed(1)
    everything = Everything()
    everything.action_space.seed(4)
    datasets = {
        "cartpole": (cart, [play(cart, balance, 1, 15), play(cart, lambda o: 0, 2, 15)]),
        "pendulum": (pendulum, [play(pendulum, lambda o: pendulum.action_space.sample(), 1, 8)]),
        "everything": (everything, [
            play(everything, lambda o: everything.action_space.sample(), 1, 9),
            play(everything, lambda o: everything.action_space.sample(), 2, 2),
        ]),
    }
    for name, (env, episodes) in datasets.items():
        for data_format in ("hdf5", "arrow"):
            dataset = make(name, env, episodes, data_format)
        with open(f"{root}/{name}/expected.json", "w") as file:
            json.dump(expected(dataset), file)
        os.remove(f"{root}/{name}/namespace_metadata.json")
    packed_again("pendulum")


main()
