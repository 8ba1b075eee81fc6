"""Writes crates/amago-trainer/tests/support/tiny.pt with PyTorch (2.9.1 was used). Run by hand:

    echo 'import torch; torch.save({"x": torch.zeros(1)}, "x.pt")' | python3
    amago import x.pt --config crates/amago-trainer/tests/support/tiny.toml --run-dir x 2>&1 \
        | python3 xtask/weights/fixture.py crates/amago-trainer/tests/support/tiny.pt

The names and shapes are those that the importer misses. Entry `k` of the tensor that is number `i` by name
has the value `((7 i + k) % 13 - 6) / 16`, which every float type holds. Some tensors are of other types than
float32, transposed or cut out of larger ones, as a reader must expect.
"""

import re
import sys

import torch


def values(i, shape):
    count = torch.Size(shape).numel()
    return (((torch.arange(count) + 7 * i) % 13 - 6) / 16).reshape(shape)


def stored(i, x):
    match i % 6:
        case 1:
            return x.double()
        case 2:
            return x.half()
        case 3:
            return x.bfloat16()
        case 4:
            return x.T.contiguous().T if x.dim() == 2 else x
        case 5:
            return torch.cat([torch.ones_like(x), x])[x.shape[0] :]
    return x


def main():
    found = re.findall(r"^  (\S+): missing in the file, the config needs \[([\d, ]+)\]", sys.stdin.read(), re.M)
    shapes = {name: [int(n) for n in shape.split(",")] for name, shape in found}
    root = torch.nn.Module()
    for i, name in enumerate(sorted(shapes)):
        *path, last = name.split(".")
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        module.register_buffer(last, stored(i, values(i, shapes[name])))
    torch.save(root.state_dict(), sys.argv[1])


main()
