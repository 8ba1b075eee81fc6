"""Full updates of AMAGO and AMAGO-2 on random data in PyTorch (2.9.1 was used on CPUs): the other side of

    cargo xtask bench learner --against "PYTHON xtask/torch/bench_learner.py --agent amago2 --size base" \
        -- --agent amago2 --size base

Prints the same JSON line as `amago-bench learner`. Run by hand; needs torch alone.

It does the original's work: one pass of the encoders with gradient; the actor with gradient and its target; the
critics with gradient on the actions taken, the target critics on one action, and AMAGO's maximised critics, or
AMAGO-2's critics again without gradient, on the actor's own actions (three samples). A critic that is given actions
gets the state, the discount and the action joined, as in the original, for every discount and sample anew. Both
losses, backward, clipping by the global norm, moving targets, AdamW with warm-up.

What it leaves out is to its advantage: figures for logs, gradients of the maximised critics' weights (nobody uses
them), the clamping of bin probabilities, reading and copying of batches. Attention is PyTorch's
`scaled_dot_product_attention`, AdamW its fused one, norms, clipping and targets run over all tensors at once.
With `--plain` attention, AdamW and targets are written as usual: scores, mask and softmax one by one, PyTorch's
default AdamW, a loop over the targets' tensors; and the maximised critics' weights get their gradients.

`gflop_per_update` is what PyTorch itself counts in one eager update; it counts causal attention as a full square.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from losses import Agent


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", choices=["amago", "amago2"], default="amago")
    parser.add_argument("--size", choices=["tiny", "base"], default="tiny")
    parser.add_argument("--batch", type=int, default=24, help="sequences")
    parser.add_argument("--len", type=int, default=128, help="transitions of each")
    parser.add_argument("--obs", type=int, default=8)
    parser.add_argument("--actions", type=int, default=5)
    parser.add_argument("--continuous", action="store_true")
    parser.add_argument("--updates", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1, help="updates that are not measured")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    dtypes = ["float32", "tf32", "bfloat16"]
    parser.add_argument("--dtype", choices=dtypes, default="float32", help="of products; tf32 is float32 with rounded factors")
    for size in ["--d-model", "--heads", "--d-ff", "--layers", "--bins"]:
        parser.add_argument(size, type=int, help="instead of that of --size")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--plain", action="store_true", help="nothing fused, unused gradients computed")
    return parser.parse_args()


def random_batch(args, device):
    b, l, a = args.batch, args.len, args.actions
    actions = torch.nn.functional.one_hot(torch.randint(0, a, (b, l)), a).float()
    batch = dict(
        obs=torch.randn(b, l + 1, args.obs),
        rl2s=torch.randn(b, l + 1, 1 + a),
        times=torch.arange(l + 1).expand(b, -1),
        rewards=torch.randn(b, l),
        terminals=(torch.rand(b, l) < 0.01).float(),
        actions=torch.rand(b, l, a) * 1.8 - 0.9 if args.continuous else actions,
        mask=torch.ones(b, l + 1),
    )
    return {name: x.to(device) for name, x in batch.items()}


class Learner:
    def __init__(self, agent, args):
        self.agent, self.device, self.updates = agent, args.device, 0
        self.dtype = torch.bfloat16 if args.dtype == "bfloat16" else torch.float32
        self.plain, self.trained = args.plain, agent.trained
        settings = dict(lr=1e-4, weight_decay=1e-3, betas=(0.9, 0.999), eps=1e-8)
        self.optimizer = torch.optim.AdamW(self.trained, **settings, fused=True if not args.plain else None)
        pairs = [(agent.target_critics, agent.critics), (agent.target_actor, agent.actor)]
        self.slow = [p for target, _ in pairs for p in target.parameters()]
        self.fast = [p for _, online in pairs for p in online.parameters()]

    def update(self, loss_of, batch):
        self.agent.zero_grad(set_to_none=True)
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        with torch.no_grad():
            if self.plain:
                for slow, fast in zip(self.slow, self.fast):
                    slow.copy_(0.997 * slow + 0.003 * fast)
            else:
                torch._foreach_lerp_(self.slow, self.fast, 0.003)
            climbed, critics = self.agent.maximized.parameters(), self.agent.critics.parameters()
            torch._foreach_copy_(list(climbed), list(critics))
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-4 * min(self.updates / 500, 1)
        self.optimizer.step()
        self.updates += 1
        return loss.item()


def seconds_of(work, device):
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def matrix_peak(device):
    """Operations per second of the best of several large float32 products."""
    best = 0.0
    for rows, side in [(2048, 1024)] if device == "cpu" else [(1024, 1024), (4096, 4096), (8192, 8192)]:
        x, weight = torch.randn(rows, side, device=device), torch.randn(side, side, device=device)
        shortest = min(seconds_of(lambda: x @ weight, device) for _ in range(20))
        best = max(best, 2 * rows * side * side / shortest)
    return best


def main():
    args = arguments()
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.dtype != "float32"
    agent = Agent(args).to(args.device).train()
    learner, batch = Learner(agent, args), random_batch(args, args.device)
    with FlopCounterMode(display=False) as counter:
        learner.update(agent, batch)
    flops = counter.get_total_flops()
    loss_of = torch.compile(agent) if args.compile else agent
    for _ in range(args.warmup):
        learner.update(loss_of, batch)
    times = []
    for _ in range(args.updates):
        times.append(seconds_of(lambda: learner.update(loss_of, batch), args.device))
    seconds = statistics.median(times)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak = matrix_peak(args.device)
    result = {
        "bench": "learner",
        "device": args.device,
        "dtype": args.dtype,
        "compiled": args.compile,
        "plain": args.plain,
        "agent": args.agent,
        "size": args.size,
        "parameters": sum(p.numel() for p in learner.trained),
        "batch": args.batch,
        "len": args.len,
        "threads": torch.get_num_threads(),
        "updates_per_second": 1 / seconds,
        "tokens_per_second": args.batch * args.len / seconds,
        "gflop_per_update": flops / 1e9,
        "gflop_per_second": flops / seconds / 1e9,
        "matrix_peak_gflop_per_second": peak / 1e9,
        "fraction_of_peak": flops / seconds / peak,
        "peak_memory_mb": memory,
    }
    if args.device == "cuda":
        result["device_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(result))


if __name__ == "__main__":
    main()
