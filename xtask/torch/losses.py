"""The agent of the learner's bench: its policies, critics and losses, in plain PyTorch.

Shapes: `K` sampled actions, `B` sequences, `L` transitions, `G` discounts, `C` critics, `A` numbers of an action.
"""

import math
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import nn

from networks import Ensemble, PopArt, Transformer, TstepEncoder, mlp

GAMMAS = [0.1, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999]
SIZES = {"tiny": dict(d=64, heads=4, d_ff=256, layers=2), "base": dict(d=256, heads=8, d_ff=1024, layers=3)}


def symlog(x):
    return x.sign() * x.abs().log1p()


def symexp(x):
    return x.sign() * x.abs().expm1()


def soften(probs):
    """Clamped and renormalised; the normaliser takes no gradient."""
    probs = probs.clamp(0.001, 0.99)
    return probs / probs.sum(-1, keepdim=True).detach()


class Discrete:
    """Softmax over options; actions are vectors."""

    def __init__(self, outputs):
        self.probs = soften(outputs.softmax(-1))

    def sample(self, k):
        index = torch.multinomial(self.probs.flatten(0, -2), k, replacement=True)
        shape = (k, *self.probs.shape)
        return F.one_hot(index.T.reshape(shape[:-1]), shape[-1]).float()

    def log_prob(self, action):
        eps = torch.finfo(torch.float32).eps
        return (self.probs.clamp(eps, 1 - eps).log() * action).sum(-1)


class TanhGaussian:
    """A Gaussian through tanh, standard deviations between e^-5 and e^2."""

    def __init__(self, outputs):
        self.mean, log_std = outputs.chunk(2, -1)
        self.log_std = -5 + 3.5 * (log_std.tanh() + 1)

    def sample(self, k):
        noise = torch.randn(k, *self.mean.shape, device=self.mean.device)
        return (self.mean + self.log_std.exp() * noise).tanh()

    def log_prob(self, action):
        x = action.clamp(-0.99, 0.99).atanh()
        normal = -0.5 * ((x - self.mean) / self.log_std.exp()).square() - self.log_std
        normal = normal - 0.5 * math.log(2 * math.pi)
        return (normal - 2 * (math.log(2) - x - F.softplus(-2 * x))).sum(-1)


class Critics(nn.Module):
    """Values of actions `[K, B, L, G, A]` in states `[B, L, D]`: `[K, C, B, L, G]`, with logits if classifying."""

    def __init__(self, n, d, actions, gammas, per_option, bins):
        super().__init__()
        self.n, self.gammas, self.per_option, self.bins = n, len(gammas), per_option, bins
        d_input, d_output = (d, len(gammas) * actions) if per_option else (d + 1 + actions, bins or 1)
        self.net = Ensemble(n, d_input, d_output)
        feature = symlog(1 / (1 - torch.tensor(gammas)).clamp(1e-6, 1))
        self.register_buffer("feature", feature, persistent=False)
        span = symlog(torch.tensor(1e5)).item()
        self.register_buffer("values", torch.linspace(-span, span, bins or 1), persistent=False)

    def forward(self, states, actions):
        k, b, l, g, a = actions.shape
        if self.per_option:
            values = self.net(states.flatten(0, 1)).float().view(1, self.n, b, l, g, a)
            return (values * actions.unsqueeze(1)).sum(-1), None
        wide = states.view(1, b, l, 1, -1).expand(k, b, l, g, -1)
        feature = self.feature.view(g, 1).expand(k, b, l, g, 1)
        joined = torch.cat((wide, feature, actions.clamp(-0.999, 0.999)), -1)
        out = self.net(joined.flatten(0, -2)).float().view(self.n, k, b, l, g, -1).transpose(0, 1)
        return (self.expected(out), out) if self.bins else (out.squeeze(-1), None)

    def expected(self, logits):
        return symexp((logits.softmax(-1) * self.values).sum(-1))

    def labels(self, target):
        """Two-hot labels of targets `[B, L, G]`."""
        place = symlog(target).clamp(self.values[0], self.values[-1])
        place = (place - self.values[0]) / (self.values[1] - self.values[0])
        low = place.floor().clamp(0, self.bins - 2)
        share, low = (place - low).unsqueeze(-1), low.long()
        hot = lambda index: F.one_hot(index, self.bins)
        return hot(low) * (1 - share) + hot(low + 1) * share


class Agent(nn.Module):
    """All networks, and the loss of a batch."""

    def __init__(self, args):
        super().__init__()
        self.discrete, self.amago2 = not args.continuous, args.agent == "amago2"
        self.k_actor = 3 if self.amago2 else 1
        self.online, self.offline = (0.0, 1.0) if self.amago2 else (1.0, 0.1)
        own = dict(d=args.d_model, heads=args.heads, d_ff=args.d_ff, layers=args.layers)
        size = SIZES[args.size] | {name: value for name, value in own.items() if value}
        self.tstep = TstepEncoder(args.obs + 1 + args.actions)
        self.traj = Transformer(256, **size, plain=args.plain)
        outputs = len(GAMMAS) * args.actions * (1 if self.discrete else 2)
        self.actor = mlp(size["d"], 256, 2, outputs)
        per_option = self.discrete and not self.amago2
        bins = (args.bins or 128) if self.amago2 else None
        self.critics = Critics(4, size["d"], args.actions, GAMMAS, per_option, bins)
        self.trained = list(self.parameters())
        self.target_actor, self.target_critics, self.maximized = (
            deepcopy(net).requires_grad_(False) for net in (self.actor, self.critics, self.critics)
        )
        # The original computes gradients of this copy in the online loss, which nobody uses.
        self.maximized.requires_grad_(args.plain)
        self.popart = PopArt(len(GAMMAS))
        self.register_buffer("gammas", torch.tensor(GAMMAS), persistent=False)

    def policy(self, actor, states):
        outputs = actor(states).float().unflatten(-1, (len(GAMMAS), -1))
        return Discrete(outputs) if self.discrete else TanhGaussian(outputs)

    def actions(self, policy, k):
        """Probabilities where values are linear in them, else samples."""
        return policy.probs.unsqueeze(0) if self.critics.per_option else policy.sample(k)

    @torch.no_grad()
    def target(self, batch, states):
        policy = self.policy(self.target_actor, states)
        values, _ = self.target_critics(states, self.actions(policy, 1))
        values = values.mean(0)
        values = values if self.amago2 else self.popart.returns(values)
        wide = lambda x: x.unsqueeze(-1)
        values = wide(10 * batch["rewards"]) + self.gammas * (1 - wide(batch["terminals"])) * values
        subset = torch.randint(0, 4, (2, *values.shape[1:]), device=values.device)
        chosen = values.gather(0, subset)
        target = chosen.amin(0) if self.online > 0 else chosen.mean(0)
        self.popart.update(target, batch["mask"][:, 1:].unsqueeze(-1))
        return target

    def forward(self, batch):
        mask = batch["mask"].unsqueeze(-1)
        states = self.traj(self.tstep(batch["obs"], batch["rl2s"], mask), batch["times"])
        target = self.target(batch, states[:, 1:].detach())
        policy = self.policy(self.actor, states[:, :-1])
        states = states[:, :-1]
        taken = batch["actions"].unsqueeze(2).expand(-1, -1, len(GAMMAS), -1)
        seen = soften(taken) if self.discrete else taken
        values, logits = self.critics(states, seen.unsqueeze(0))
        if self.amago2:
            label = self.critics.labels(target)
            critic_loss = -(logits[0].log_softmax(-1) * label).sum(-1)
            with torch.no_grad():
                own, _ = self.critics(states, self.actions(policy, self.k_actor))
        else:
            critic_loss = (self.popart.normalized(values[0]) - self.popart.normalize(target)).square()
            own, _ = self.maximized(states.detach(), self.actions(policy, self.k_actor))
        advantage = (values[0].mean(0) - own.mean((0, 1))).detach()
        actor_loss = -self.offline * (advantage > 0) * policy.log_prob(taken)
        if self.online > 0:
            actor_loss = actor_loss - self.online * self.popart.normalized(own.mean(0).amin(0))
        weight = mask[:, 1:]
        mean = lambda x: (x * weight).sum() / ((weight.sum() * x.numel() / weight.numel()) + 1e-5)
        return mean(actor_loss) + 10 * mean(critic_loss)
