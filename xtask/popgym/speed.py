"""Steps per second of the package, one process, random actions drawn beforehand, resets included.

The tasks are stepped as the package makes them, without the wrappers that flatten observations.
Prints one JSON object: steps per second of each repetition, by task.
"""

import argparse
import json
import time

from tasks import make, names


def rate(env, actions, steps):
    over = True
    started = time.perf_counter()
    for i in range(steps):
        if over:
            env.reset()
        _, _, terminated, truncated, _ = env.step(actions[i % len(actions)])
        over = terminated or truncated
    return steps / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rates = {}
    for name in args.tasks or names():
        env = make(name)
        env.reset(seed=args.seed)
        env.action_space.seed(args.seed)
        actions = [env.action_space.sample() for _ in range(4096)]
        rates[name] = [rate(env, actions, args.steps) for _ in range(args.repetitions)]
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
