"""Mean return and mean length of random play in every task."""

import argparse
import json
import os
import zlib

import numpy as np

from tasks import FOLDER, VERSION, make, names


def play(name, episodes, seed):
    """Returns and lengths."""
    env = make(name)
    env.reset(seed=seed)
    env.action_space.seed(seed + 1)
    returns, lengths = np.zeros(episodes), np.zeros(episodes)
    for i in range(episodes):
        env.reset()
        over = False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            over = terminated or truncated
            returns[i] += reward
            lengths[i] += 1
    return returns, lengths


def summary(values):
    """Mean and its standard error."""
    return {"mean": float(values.mean()), "error": float(values.std(ddof=1) / np.sqrt(len(values)))}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(FOLDER, "random_play.json"))
    args = parser.parse_args()
    rows = []
    for name in names():
        returns, lengths = play(name, args.episodes, zlib.crc32(name.encode()) + args.seed)
        rows.append({"task": name, "returns": summary(returns), "lengths": summary(lengths)})
        print(rows[-1], flush=True)
    about = {"package": f"popgym {VERSION}", "episodes": args.episodes, "seed": args.seed}
    with open(args.out, "w") as file:
        json.dump({**about, "tasks": rows}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
