"""Plays Gymnasium environments for amago: src/wire.rs says what goes over the socket, from numpy 1.21 and Python 3.8 on.

Runs with `sock` (one end of a socket pair), `config` (a dict) and `WORKER` (the name of this code) as globals. What is printed goes to stderr.
"""

import faulthandler
import importlib
import importlib.util
import inspect
import json
import mmap
import os
import re
import signal
import struct
import sys
import time
import traceback

import numpy as np

TEXT = 60_000  # bytes of a traceback
BEAT = struct.pack("<BI", ord("."), 0)
HEAD = 5
REQUEST = struct.Struct("<B3xIQ")
WORDS = re.compile(r"\w+|[^\w\s]")


class Lost(BaseException):
    """Nobody is at the other end."""


class Refused(Exception):
    """Said without a traceback: the message is meant for the user."""


def send(data):
    try:
        sock.sendall(data)
    except OSError as error:
        raise Lost from error


def told(error):
    """The traceback from the environment's own code on; its end where it is long."""
    if isinstance(error, Refused):
        return str(error)
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == WORKER:
        tb = tb.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, tb))
    except Exception:
        text = type(error).__name__
    return text.rstrip()[-TEXT:]


# Observations


def base(space):
    """Which kind of space it is, by name: those of the package gym will do as well."""
    names = [c.__name__ for c in type(space).__mro__]
    for kind in ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Text", "Dict", "Tuple"):
        if kind in names:
            return kind
    if getattr(space, "dtype", None) is not None and np.dtype(space.dtype).kind == "U":
        return "Text"
    raise Refused(f"the space {space} of the kind {type(space).__name__} cannot be used")


def bound(values):
    """One bound for all entries where they are equal; None stands for infinity."""
    values = np.asarray(values, np.float32).ravel()
    if np.isnan(values).any():
        raise Refused("a bound of a Box is NaN")
    if values.size and (values == values[0]).all():
        values = values[:1]
    return [float(x) if np.isfinite(x) else None for x in values]


class Leaf:
    """One column of the observation: how it is described, how many bytes it takes, how it is written."""

    def __init__(self, key, path, space, number):
        self.key, self.path = key, path
        kind = base(space)
        self.order = None
        if key == "action_mask":
            self.shape = tuple(space.shape)
            self.describe = {"kind": "bits", "n": int(np.prod(self.shape))}
            self.dtype, self.wire = np.dtype(np.uint8), self.shape
        elif kind == "Box":
            self.box(space)
        elif kind == "MultiBinary":
            self.shape = tuple(space.shape)
            self.describe = {"kind": "bits", "n": int(np.prod(self.shape))}
            self.dtype, self.wire = np.dtype(np.uint8), self.shape
        elif kind == "Text":
            self.shape = self.wire = (config["text_length"],)
            if not config["text_vocabulary"]:
                raise Refused(f'the observation "{key}" is text: text_vocabulary must list its words')
            self.words = {w: i + 1 for i, w in enumerate(config["text_vocabulary"])}
            self.describe = {"kind": "choices", "nvec": [len(self.words) + 1] * config["text_length"]}
            self.dtype = np.dtype("<i4")
        else:
            one = kind == "Discrete"
            self.shape = self.wire = () if one else tuple(np.shape(space.nvec))
            nvec = [int(space.n)] if one else [int(n) for n in np.ravel(space.nvec)]
            self.describe = {"kind": "choices", "nvec": nvec}
            start = getattr(space, "start", 0)
            self.start = int(start) if one else np.asarray(start)
            self.dtype = np.dtype("<i4")
        self.kind = kind
        self.describe.update(key=key, discrete=kind == "Discrete")
        self.bytes = int(np.prod(self.wire)) * self.dtype.itemsize

    def box(self, space):
        self.shape = self.wire = tuple(space.shape)
        self.dtype = np.dtype("<f4")
        if space.dtype == np.uint8 and 2 <= len(self.shape) <= 4:
            self.dtype = np.dtype(np.uint8)
            if len(self.shape) == 4:
                # Frames of colour images, one after the other: their channels side by side.
                self.order = (1, 2, 0, 3)
                self.wire = tuple(self.shape[axis] for axis in self.order)
        shape = list(self.wire)
        if self.dtype == np.uint8:
            shape = shape + [1] if len(shape) == 2 else shape[:2] + [int(np.prod(shape[2:]))]
        free = config["ignore_bounds"] and self.dtype != np.uint8
        low, high = ([None], [None]) if free else (bound(self.sort(space.low)), bound(self.sort(space.high)))
        self.describe = {"kind": "box", "shape": shape, "low": low, "high": high}
        self.describe["bytes"] = self.dtype == np.uint8

    def sort(self, value):
        return value if self.order is None else np.transpose(value, self.order)

    def view(self, buffer, offset):
        return np.ndarray(self.wire, self.dtype, buffer, offset)

    def write(self, view, value):
        """Copies a value of the environment, checked, because numpy would repeat or wrap what does not fit."""
        if self.kind == "Text":
            return self.write_text(view, value)
        if type(value) is not np.ndarray:
            value = np.asarray(value)
        if value.shape != self.shape:
            raise ValueError(f'observation "{self.key}" has the shape {value.shape}, its space has {self.shape}')
        if value.dtype.kind not in "fiub":
            raise TypeError(f'observation "{self.key}" is of the type {value.dtype}, which is no number')
        if self.dtype.kind == "f":
            view[...] = value
            return
        if value.dtype.kind == "f" and not (value == np.trunc(value)).all():
            raise ValueError(f'observation "{self.key}" is not a whole number')
        if self.dtype.kind == "i":
            value = value.astype(np.int64) - self.start
            if value.size and (value.min() < 0 or value.max() > 0x7FFFFFFF):
                raise ValueError(f'observation "{self.key}" is outside its space')
        elif value.dtype != np.uint8 and value.size and (value.min() < 0 or value.max() > 255):
            raise ValueError(f'observation "{self.key}" is outside its space')
        view[...] = self.sort(value)

    def write_text(self, view, value):
        words = WORDS.findall(str(value).lower())
        if len(words) > len(view):
            raise ValueError(f'observation "{self.key}" has {len(words)} words, text_length allows {len(view)}: {value!r}')
        view[...] = 0
        for place, word in enumerate(words):
            number = self.words.get(word)
            if number is None:
                raise ValueError(f'observation "{self.key}" has the word "{word}", which is not in text_vocabulary: {value!r}')
            view[place] = number


def leaves(space, key="", path=()):
    """The columns of a space, keys joined by a slash."""
    kind = base(space)
    if kind in ("Dict", "Tuple"):
        parts = space.spaces.items() if kind == "Dict" else enumerate(space.spaces)
        found = []
        for name, part in parts:
            found += leaves(part, f"{key}/{name}" if key else str(name), path + (name,))
        return found
    return [Leaf(key or "observation", path, space, len(path))]


def at(value, path):
    for name in path:
        value = value[name]
    return value


def find(info, path, lane=None):
    """An entry of `info`, or None; of a vector's, that of one lane."""
    for name in path:
        if not isinstance(info, dict) or name not in info:
            return None
        mask = info.get("_" + name) if lane is not None else None
        if mask is not None and not mask[lane]:
            return None
        info = info[name]
    return info if lane is None or info is None else info[lane]


class Actions:
    """Actions as the environment wants them, out of the bytes of a request."""

    def __init__(self, space):
        self.kind, self.space = base(space), space
        if self.kind == "Discrete":
            self.start, self.width = int(getattr(space, "start", 0)), 1
            self.describe = {"kind": "discrete", "n": int(space.n)}
            self.wire = np.dtype("<i8")
        elif self.kind == "MultiDiscrete":
            self.start, self.width = np.asarray(getattr(space, "start", 0)), int(np.size(space.nvec))
            self.describe = {"kind": "multi_discrete", "nvec": [int(n) for n in np.ravel(space.nvec)]}
            self.wire = np.dtype("<i8")
        elif self.kind == "MultiBinary":
            self.width = int(np.prod(space.shape))
            self.describe = {"kind": "multi_binary", "n": self.width}
            self.wire = np.dtype(np.uint8)
        elif self.kind == "Box":
            self.width = int(np.prod(space.shape))
            low, high = bound(space.low), bound(space.high)
            self.describe = {"kind": "box", "shape": list(space.shape), "low": low, "high": high}
            self.wire = np.dtype("<f4")
        else:
            raise Refused(f"the action space {space} cannot be used: it must be Discrete, MultiDiscrete, MultiBinary or Box")
        self.bytes = self.width * self.wire.itemsize

    def view(self, buffer, offset, n):
        return np.ndarray((n, self.width), self.wire, buffer, offset)

    def all(self, view):
        """An action for each row."""
        if self.kind == "Discrete":
            return [action + self.start for action in view[:, 0].tolist()]
        return [self.one(row) for row in view]

    def one(self, row):
        value = np.array(row).reshape(np.shape(self.space.nvec) if self.kind == "MultiDiscrete" else self.space.shape)
        if self.kind == "MultiDiscrete":
            value = value + self.start
        elif self.kind == "Box" and np.dtype(self.space.dtype).kind in "iu":
            value = np.rint(value)
        return value.astype(self.space.dtype, copy=False)

    def batch(self, view, space):
        """One array for a vectorised environment."""
        return np.array(self.all(view)).astype(space.dtype, copy=False)


# Environments


def load(path):
    """A callable in a file: `FILE.py:NAME`."""
    file, _, name = path.rpartition(":")
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(file))[0], file)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
    return getattr(module, name)


def keywords():
    given = dict(config["kwargs"])
    if config["render"]:
        given.setdefault("render_mode", "rgb_array")
    return given


def registered(name):
    """The gymnasium package, after the modules to import; and what makes `MODULE:NAME` where that is no id."""
    for module in config["imports"]:
        importlib.import_module(module)
    gymnasium = importlib.import_module("gymnasium")
    module, _, attribute = name.rpartition(":")
    if module:
        made = importlib.import_module(module)
        known = getattr(gymnasium, "registry", None) or gymnasium.envs.registry
        if attribute not in known and hasattr(made, attribute):
            return gymnasium, getattr(made, attribute)
    return gymnasium, None


def wrapped(env):
    return load(config["wrapper"])(env) if config["wrapper"] else env


class Copies:
    """Environments of the same id, stepped one after another."""

    def __init__(self):
        self.envs = []
        self.grow(1)
        self.make(0)
        env = self.envs[0]
        self.leaves, self.actions = leaves(env.observation_space), Actions(env.action_space)
        spec = getattr(env, "spec", None)
        self.horizon = getattr(spec, "max_episode_steps", None)
        # Of the outermost wrapper itself: those of gymnasium 0.29 pass names on, with a warning.
        self.saves = all(callable(getattr(type(env), name, None)) for name in ("save_state", "load_state"))

    def grow(self, n):
        for env in self.envs[n:]:
            close(env)
        self.envs = (self.envs + [None] * n)[:n]

    def make(self, index):
        old, self.envs[index] = self.envs[index], None
        close(old)
        gymnasium, call = registered(config["id"])
        env = call(**keywords()) if call else gymnasium.make(config["id"], **keywords())
        env = wrapped(env)
        asks = inspect.signature(env.reset).parameters.values()
        self.seeded = any(p.name == "seed" or p.kind == p.VAR_KEYWORD for p in asks)
        if hasattr(self, "leaves"):
            other = [leaf.describe for leaf in leaves(env.observation_space)], Actions(env.action_space).describe
            if other != ([leaf.describe for leaf in self.leaves], self.actions.describe):
                raise Refused(f"the environment has other spaces than the first of its kind")
        self.envs[index] = env

    def reset(self, index, seed, row):
        env = self.envs[index]
        if self.seeded:
            options = {"options": dict(config["reset_options"])} if config["reset_options"] else {}
            obs, info = env.reset(seed=seed, **options)
        else:
            if callable(getattr(env, "seed", None)):
                env.seed(seed)
            obs, info = env.reset(), {}
            if type(obs) is tuple and len(obs) == 2 and isinstance(obs[1], dict):
                obs, info = obs
        row.write(obs, info, False)

    def step(self, todo, actions, out):
        actions = self.actions.all(actions)
        for index, (flags, seed) in enumerate(todo):
            if not flags:
                continue
            try:
                ended = self.step_one(index, actions[index], out)
                beat()
            except Lost:
                raise
            except BaseException as error:
                out.fail(index, STEP_FAILED, error)
                continue
            if ended and flags & 2:
                try:
                    self.reset(index, seed, out.firsts[index])
                    out.began(index)
                    beat()
                except Lost:
                    raise
                except BaseException as error:
                    out.fail(index, RESET_FAILED, error)

    def step_one(self, index, action, out):
        result = self.envs[index].step(action)
        if len(result) == 4:
            obs, reward, done, info = result
            truncated = bool(done) and bool(info.get("TimeLimit.truncated", False))
            terminated = bool(done) and not truncated
        else:
            obs, reward, terminated, truncated, info = result
            terminated, truncated = bool(terminated), bool(truncated)
        out.rows[index].write(obs, info, terminated)
        out.record(index, terminated, truncated, float(reward), info)
        return terminated or truncated

    def render(self, index):
        return self.envs[index].render()

    def save(self, index):
        return bytes(self.envs[index].save_state())

    def measure(self, out):
        """Seconds of a step of the first copy, by a few random ones."""
        self.reset(0, 0, out.firsts[0])
        spent, steps = 0.0, 0
        while steps < 100 and spent < 0.02:
            action, start = self.envs[0].action_space.sample(), time.perf_counter()
            ended = self.step_one(0, action, out)
            spent, steps = spent + time.perf_counter() - start, steps + 1
            if ended:
                self.reset(0, steps, out.firsts[0])
        return spent / steps

    def load(self, index, state):
        self.envs[index].reset()
        self.envs[index].load_state(state)

    def close(self):
        for env in self.envs:
            close(env)


def close(env):
    try:
        if callable(getattr(env, "close", None)):
            env.close()
    except BaseException as error:
        print(f"amago-gym: closing failed: {told(error)}", file=sys.stderr)


class Lanes:
    """One environment that is many already. Its lanes are stepped together, those that nobody plays as well."""

    saves = False

    def __init__(self):
        self.n, self.vec = 1, None
        self.build()
        self.leaves, self.actions = leaves(self.vec.single_observation_space), Actions(self.vec.single_action_space)
        self.horizon = getattr(getattr(self.vec, "spec", None), "max_episode_steps", None)
        if hasattr(self.vec, "config"):
            self.horizon = self.vec.config.get("max_episode_steps") or self.horizon

    def build(self):
        close(self.vec)
        self.vec, self.fresh = None, None
        gymnasium, call = registered(config["id"] if not config["id"].startswith("envpool:") else "")
        given = keywords()
        if config["id"].startswith("envpool:"):
            given.setdefault("seed", config["worker"])
            name = config["id"].partition(":")[2]
            vec = importlib.import_module("envpool").make(name, env_type="gymnasium", num_envs=self.n, **given)
        elif call:
            vec = call(num_envs=self.n, **given)
        else:
            vec = self.registered(gymnasium, given)
        self.vec = wrapped(vec)
        self.mode = self.autoreset(gymnasium)
        if getattr(self.vec, "num_envs", self.n) != self.n:
            raise Refused(f"the vectorised environment has {self.vec.num_envs} copies, not {self.n}")

    def registered(self, gymnasium, given):
        if not hasattr(gymnasium.vector, "AutoresetMode"):
            make = getattr(gymnasium, "make_vec", None) or gymnasium.vector.make
            return make(config["id"], num_envs=self.n, **given)
        # Resetting only when told is the one mode in which every episode has the seed that it should have.
        off = gymnasium.vector.AutoresetMode.DISABLED
        spec = gymnasium.spec(config["id"])
        own = spec.vector_entry_point is not None and "vectorization_mode" not in given
        if own:
            try:
                return gymnasium.make_vec(config["id"], num_envs=self.n, **{"autoreset_mode": off, **given})
            except ValueError:
                return gymnasium.make_vec(config["id"], num_envs=self.n, **given)  # Atari's does not know it
            except TypeError:
                pass  # those for learners only, which cannot be reset one by one
        given = {"vectorization_mode": "sync", **given}
        given["vector_kwargs"] = {"autoreset_mode": off, **given.get("vector_kwargs", {})}
        return gymnasium.make_vec(config["id"], num_envs=self.n, **given)

    def autoreset(self, gymnasium):
        names = [c.__module__ for c in type(getattr(self.vec, "unwrapped", self.vec)).__mro__]
        if any(name.startswith("envpool") for name in names):
            return "envpool"
        self.short = any(name.startswith("ale_py") for name in names)  # seeds of the lanes that are reset only
        mode = (getattr(self.vec, "metadata", None) or {}).get("autoreset_mode")
        mode = getattr(mode, "value", mode)
        if mode is None and gymnasium.__version__.startswith("0."):
            return "SameStep"
        if mode not in ("NextStep", "SameStep", "Disabled") or not hasattr(gymnasium.vector, "AutoresetMode"):
            raise Refused(f"it cannot be told how {self.vec} resets its copies: gymnasium must be older than 1.0 or 1.1 and newer")
        return mode

    def grow(self, n):
        if n != self.n:
            self.n = n
            self.build()

    def make(self, index):
        if self.vec is None:
            self.build()

    def reset_lanes(self, mask, seeds):
        """First observations of some lanes, and what `info` says; all other lanes stay as they are."""
        if self.mode == "envpool":
            if self.fresh is None:
                self.vec.reset()  # those that nobody plays are stepped, too
                self.fresh = ()
            obs, info = self.vec.reset(np.flatnonzero(mask).astype(np.int32))
            places = {int(lane): i for i, lane in enumerate(np.ravel(info["env_id"]))}
            return lambda lane: (obs, places[lane], info)
        options = dict(config["reset_options"])
        if self.fresh is None:
            seeds = [int(seed) for seed in np.where(mask, seeds, np.arange(self.n))]
            seeds = np.array(seeds) if self.short else seeds
            obs, info = self.vec.reset(seed=seeds, **({"options": options} if options else {}))
            self.fresh = ~mask, obs, info
        elif self.mode == "SameStep":
            waiting, obs, info = self.fresh
            if (mask & ~waiting).any():
                raise Refused("this vectorised environment cannot begin an episode before the last one has ended")
            waiting[mask] = False
        else:
            before = [np.copy(at(self.obs, leaf.path)) for leaf in self.leaves]
            seeds = np.asarray(seeds)[mask] if self.short else [int(s) for s in seeds]
            obs, info = self.vec.reset(seed=seeds, options={**options, "reset_mask": mask.copy()})
            for leaf, old in zip(self.leaves, before):
                if not np.array_equal(old[~mask], np.asarray(at(obs, leaf.path))[~mask]):
                    raise Refused("this vectorised environment resets all its copies at once: it does not know reset_mask")
        self.obs = obs
        return lambda lane: (obs, lane, info)

    def reset(self, index, seed, row):
        mask = np.zeros(self.n, bool)
        mask[index] = True
        obs, place, info = self.reset_lanes(mask, [seed] * self.n)(index)
        row.write(obs, info, False, place)

    def step(self, todo, actions, out):
        try:
            self.step_all(todo, self.actions.batch(actions, self.vec.action_space), out)
        except Lost:
            raise
        except BaseException as error:
            close(self.vec)
            self.vec = None
            for index, (flags, _) in enumerate(todo):
                if flags:
                    out.fail(index, STEP_FAILED, error)

    def step_all(self, todo, actions, out):
        obs, rewards, terminated, truncated, info = self.vec.step(actions)
        ended, same = np.asarray(terminated) | np.asarray(truncated), self.mode == "SameStep"
        self.obs = obs
        if same:
            self.fresh = ended.copy(), obs, info  # at the beginning of an episode, that may be asked for
        finals = info.get("final_obs", info.get("final_observation")) if same and ended.any() else None
        for lane, (flags, _) in enumerate(todo):
            if not flags:
                continue
            last, place, told_by, of = obs, lane, info, lane
            if ended[lane] and same:
                last, place = (finals[lane], None) if isinstance(finals, np.ndarray) else (finals, lane)
                told_by = info.get("final_info", {})
                told_by, of = (told_by, lane) if isinstance(told_by, dict) else (told_by[lane], None)
            out.rows[lane].write(last, told_by, bool(terminated[lane]), place, of)
            out.record(lane, bool(terminated[lane]), bool(truncated[lane]), float(rewards[lane]), told_by, of)
        beat()
        if ended.any():
            first = (lambda lane: (obs, lane, info)) if same else self.reset_lanes(ended, [seed for _, seed in todo])
            for lane, (flags, _) in enumerate(todo):
                if flags & 2 and ended[lane]:
                    begun, place, about = first(lane)
                    out.firsts[lane].write(begun, about, False, place)
                    out.began(lane)

    def render(self, index):
        frames = self.vec.render()
        return None if frames is None else frames[index]

    def close(self):
        close(self.vec)


# Replies

STEPPED, TERMINATED, TRUNCATED, BEGUN, STEP_FAILED, RESET_FAILED = 1, 2, 4, 8, 16, 32


class Row:
    """Place of one observation in a buffer."""

    def __init__(self, buffer, offset, engine):
        self.parts, self.mask = [], None
        for leaf in engine.leaves:
            self.parts.append((leaf.path, leaf.write, leaf.view(buffer, offset)))
            offset += leaf.bytes
        if config["action_mask"]:
            self.mask = np.ndarray(mask_width(engine), np.uint8, buffer, offset)

    def write(self, obs, info, over, place=None, lane=-1):
        for path, write, view in self.parts:
            value = at(obs, path) if path else obs
            write(view, value if place is None else value[place])
        if self.mask is not None:
            mask = find(info, ("action_mask",), place if lane == -1 else lane)
            if mask is None and not over:
                raise ValueError('info has no "action_mask"')
            mask = np.ones(self.mask.shape) if mask is None else np.concatenate([np.ravel(m) for m in mask]) if isinstance(mask, tuple) else np.ravel(mask)
            if mask.shape != self.mask.shape:
                raise ValueError(f'info["action_mask"] has {mask.size} entries for {self.mask.size} options')
            self.mask[...] = mask != 0


def mask_width(engine):
    action = engine.actions.describe
    widths = {"discrete": lambda: action["n"], "multi_discrete": lambda: sum(action["nvec"])}
    if action["kind"] not in widths:
        raise Refused("action_mask is for discrete choices only")
    return widths[action["kind"]]()


class Shared:
    """Memory that the other end reads from, by the number of its file."""

    def __init__(self, size):
        self.file = os.memfd_create("amago-gym")
        os.ftruncate(self.file, size)
        self.memory = mmap.mmap(self.file, size)

    def __del__(self):
        os.close(self.file)


class Out:
    """The reply to a step: records, then the observations of those that were stepped, then first ones, then texts.

    Large observations are not in it, but in memory.
    """

    def __init__(self, engine, n, shared=False):
        self.metrics = [tuple(name.split("/")) for name in config["metrics"]]
        key = config["success_key"]
        self.success = [tuple(key.split("/"))] if key else [("success",), ("is_success",)]
        self.struct = struct.Struct(f"<BB6xd{len(self.metrics)}d")
        self.row = sum(leaf.bytes for leaf in engine.leaves)
        self.row += mask_width(engine) if config["action_mask"] else 0
        self.n, self.body = n, HEAD + n * self.struct.size
        self.buffer = bytearray(self.body + (0 if shared else 2 * n * self.row))
        self.shared = shared and Shared(2 * n * self.row)
        where, start = (self.shared.memory, 0) if shared else (self.buffer, self.body)
        place = lambda i: Row(where, start + i * self.row, engine)
        self.rows, self.firsts = [place(i) for i in range(n)], [place(n + i) for i in range(n)]
        self.texts = {}

    def start(self):
        self.buffer[HEAD : self.body] = bytes(self.body - HEAD)
        self.texts.clear()

    def record(self, i, terminated, truncated, reward, info, lane=None):
        status = STEPPED | TERMINATED * terminated | TRUNCATED * truncated
        success, metrics = 2, ()
        for path in self.success if info else ():
            value = find(info, path, lane)
            if value is not None:
                success = int(bool(np.all(value)))
                break
        if self.metrics:
            metrics = [find(info, path, lane) for path in self.metrics]
            metrics = [float("nan") if value is None else float(value) for value in metrics]
        self.struct.pack_into(self.buffer, HEAD + i * self.struct.size, status, success, reward, *metrics)

    def began(self, i):
        self.buffer[HEAD + i * self.struct.size] |= BEGUN

    def fail(self, i, flag, error):
        status = self.buffer[HEAD + i * self.struct.size]
        self.buffer[HEAD + i * self.struct.size] = flag if flag == STEP_FAILED else flag | status
        self.texts[i] = told(error).encode("utf-8", "replace")

    def send(self):
        stats = self.buffer[HEAD : self.body : self.struct.size]
        whole = self.body + self.n * self.row
        if self.shared and not self.texts:
            whole = self.body
        if whole == self.body or all(s & STEPPED and not s & ~7 for s in stats):
            struct.pack_into("<BI", self.buffer, 0, ord("V"), whole - HEAD)
            send(memoryview(self.buffer)[:whole])
            return
        view = memoryview(self.buffer)
        parts = [view[HEAD : self.body]]
        for flag, start in () if self.shared else ((STEPPED, self.body), (BEGUN, whole)):
            parts += [view[start + i * self.row : start + (i + 1) * self.row] for i, s in enumerate(stats) if s & flag]
        for i in sorted(self.texts):
            parts += [struct.pack("<I", len(self.texts[i])), self.texts[i]]
        reply("V", b"".join(parts))


beaten = time.monotonic()


def beat():
    """Says during long work that each call of an environment came back in time."""
    global beaten
    now = time.monotonic()
    if now - beaten > 0.1:
        send(BEAT)
        beaten = now


def reply(kind, payload=b""):
    send(struct.pack("<BI", ord(kind), len(payload)) + payload)


def frame(image):
    if image is None:
        return reply("N")
    image = np.asarray(image[-1] if isinstance(image, list) else image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"render gave {image.dtype} of the shape {image.shape}, not bytes of (height, width, 3)")
    reply("B", struct.pack("<II", image.shape[1], image.shape[0]) + image.tobytes())


def receive(view):
    try:
        got = sock.recv_into(view)
    except OSError as error:
        raise Lost from error
    if got == 0:
        raise Lost
    return got


class Server:
    """Answers requests until the other end is closed."""

    def __init__(self, engine):
        self.engine = engine
        self.grow(1)

    def grow(self, n, shared=False):
        self.engine.grow(n)
        self.n, self.out = n, Out(self.engine, n, shared)
        self.size = REQUEST.size + n * (4 + self.engine.actions.bytes + 1)
        self.request = bytearray(max(self.size, 4096))
        self.view = memoryview(self.request)
        self.seeds = np.ndarray((n,), "<u4", self.request, REQUEST.size)
        self.given = self.engine.actions.view(self.request, REQUEST.size + 4 * n, n)
        self.flags = np.ndarray((n,), np.uint8, self.request, self.size - n)

    def read(self, have, need):
        while have < need:
            have += receive(self.view[have:])
        return have

    def serve(self):
        while True:
            have = self.read(0, REQUEST.size)
            op, index, number = REQUEST.unpack_from(self.request)
            op = chr(op)
            if op == "S":
                self.read(have, self.size)
                self.out.start()
                self.engine.step(list(zip(self.flags.tolist(), self.seeds.tolist())), self.given, self.out)
                self.out.send()
                continue
            state = self.state(have, number) if op == "P" else None
            try:
                self.answer(op, index, number, state)
            except Lost:
                raise
            except BaseException as error:
                reply("E", told(error).encode("utf-8", "replace"))

    def state(self, have, size):
        state = bytearray(size)
        have -= REQUEST.size
        state[:have] = self.request[REQUEST.size : REQUEST.size + have]
        while have < size:
            have += receive(memoryview(state)[have:])
        return bytes(state)

    def answer(self, op, index, number, state):
        if op == "R":
            out = self.out
            self.engine.reset(index, number, out.firsts[index])
            start = out.body + (self.n + index) * out.row
            reply("O", b"" if out.shared else bytes(out.buffer[start : start + out.row]))
        elif op == "M":
            self.engine.make(index)
            reply("K")
        elif op == "Z":
            shared = number and hasattr(os, "memfd_create")
            self.grow(index, bool(shared))
            reply("K", struct.pack("<I", self.out.shared.file) if shared else b"")
        elif op == "T":
            reply("B", struct.pack("<d", self.engine.measure(self.out)))
        elif op == "D":
            frame(self.engine.render(index))
        elif op == "G":
            reply("B", self.engine.save(index))
        elif op == "P":
            self.engine.load(index, state)
            reply("K")
        else:
            raise Refused(f"unknown request {op!r}")


def hello(engine):
    import gymnasium

    return {
        "python": sys.version.split()[0],
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
        "leaves": [leaf.describe for leaf in engine.leaves],
        "action": engine.actions.describe,
        "horizon": engine.horizon,
        "saves_state": engine.saves,
    }


def main():
    faulthandler.enable(sock.fileno(), all_threads=False)
    faulthandler.register(signal.SIGUSR1, sock.fileno(), all_threads=False)
    engine = None
    try:
        engine = Lanes() if config["vectorized"] else Copies()
        server = Server(engine)
        said = json.dumps(hello(engine), allow_nan=False).encode()
    except BaseException as error:
        reply("X", told(error).encode("utf-8", "replace"))
        return
    reply("H", said)
    try:
        server.serve()
    except Lost:
        engine.close()


main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)  # threads of an environment do not keep it
