"""The networks of the learner's bench, in plain PyTorch."""

import math

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.01


def mlp(d_input, d_hidden, n_layers, d_output):
    widths = [d_input] + [d_hidden] * n_layers
    hidden = [(nn.Linear(a, b), nn.LeakyReLU(SLOPE)) for a, b in zip(widths, widths[1:])]
    return nn.Sequential(*(layer for pair in hidden for layer in pair), nn.Linear(d_hidden, d_output))


def adaptive_rate(beta, t):
    return beta / (1 - (1 - beta) ** t)


class InputNorm(nn.Module):
    """Running normalisation of the inputs."""

    def __init__(self, d, beta=1e-4):
        super().__init__()
        self.beta = beta
        self.register_buffer("mu", torch.zeros(d))
        self.register_buffer("nu", torch.ones(d))
        self.register_buffer("t", torch.ones(1))

    def forward(self, x, mask):
        with torch.no_grad():
            t, count, real = self.t + 1, mask.sum(), x * mask
            rate = adaptive_rate(self.beta, t)
            mu = torch.lerp(self.mu, real.sum((0, 1)) / count, rate)
            nu = torch.lerp(self.nu, real.square().sum((0, 1)) / count, rate)
            self.t.copy_(t), self.mu.copy_(mu), self.nu.copy_(nu)
            sigma = (nu - mu.square() + 1e-5).sqrt().clamp(1e-3, 1e6)
        return torch.where(sigma > 0.01, ((x - mu) / sigma).clamp(-1e4, 1e4), x - mu)


class TstepEncoder(nn.Module):
    """Observation, previous reward and action to an embedding."""

    def __init__(self, d_input, d_hidden=512, d_output=256):
        super().__init__()
        self.in_norm = InputNorm(d_input)
        self.base = mlp(d_input, d_hidden, 2, d_output)
        self.out_norm = nn.LayerNorm(d_output)

    def forward(self, obs, rl2s, mask):
        return self.out_norm(self.base(self.in_norm(torch.cat((obs, rl2s), -1), mask)))


class SigmaLinear(nn.Module):
    """A linear layer with a learned spectral norm (arXiv 2303.06296)."""

    def __init__(self, d_input, d_output, bias=True):
        super().__init__()
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(d_output, d_input), std=0.02))
        self.bias = nn.Parameter(torch.zeros(d_output)) if bias else None
        self.gamma = nn.Parameter(torch.ones(1))
        u, _, v = torch.linalg.svd(self.weight.detach(), full_matrices=False)
        self.register_buffer("u", u[:, 0].clone())
        self.register_buffer("v", v[0].clone())

    def forward(self, x):
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            u = F.normalize(self.weight @ self.v, dim=0)
            v = F.normalize(self.weight.T @ u, dim=0)
            self.u.copy_(u), self.v.copy_(v)
        with torch.autocast(x.device.type, enabled=False):
            weight = self.gamma / torch.dot(u, self.weight @ v) * self.weight
        return F.linear(x, weight, self.bias)


def attention_by_hand(qkv, heads):
    """Scores, mask and softmax one by one, heads fastest in the packed projection: the original's layout."""
    b, l, width = qkv.shape
    query, key, value = qkv.view(b, l, 3, width // 3 // heads, heads).transpose(3, 4).unbind(2)
    scores = torch.einsum("blhe,bshe->bhls", query, key)
    later = torch.ones(l, l, dtype=torch.bool, device=qkv.device).triu(1)
    weights = (scores.masked_fill(later, -math.inf) * query.shape[-1] ** -0.5).softmax(-1)
    return torch.einsum("bhls,bshe->bhle", weights, value)


def attention_fused(qkv, heads):
    """PyTorch's own; heads are slower than their entries, which spares a transposition."""
    b, l, width = qkv.shape
    qkv = qkv.view(b, l, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(*qkv.unbind(0), is_causal=True)


class Layer(nn.Module):
    """A Transformer layer with the norms of NormFormer."""

    def __init__(self, d, heads, d_ff, dropout, plain):
        super().__init__()
        self.heads, self.attention = heads, attention_by_hand if plain else attention_fused
        self.qkv, self.out = SigmaLinear(d, 3 * d, bias=False), SigmaLinear(d, d)
        self.ff1, self.ff2 = SigmaLinear(d, d_ff), SigmaLinear(d_ff, d)
        self.scale = nn.Parameter(torch.ones(1, heads, 1, 1))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d) for _ in range(3))
        self.norm4 = nn.LayerNorm(d_ff)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        heads = self.attention(self.qkv(self.norm1(x)), self.heads) * self.scale
        x = x + self.norm2(self.out(heads.transpose(1, 2).flatten(2)))
        hidden = self.norm4(F.leaky_relu(self.ff1(self.norm3(x)), SLOPE))
        return x + self.dropout(self.ff2(hidden))


class Transformer(nn.Module):
    """Linear input, positions, layers, norm."""

    def __init__(self, d_input, d, heads, d_ff, layers, plain, dropout=0.05):
        super().__init__()
        self.inp = nn.Linear(d_input, d)
        self.layers = nn.ModuleList(Layer(d, heads, d_ff, dropout, plain) for _ in range(layers))
        self.norm, self.dropout = nn.LayerNorm(d), nn.Dropout(dropout)
        rates = torch.exp(torch.arange(0, d, 2) * -(math.log(10000.0) / d))
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, x, times):
        angles = times.unsqueeze(-1) * self.rates
        x = self.dropout(self.inp(x) + torch.stack((angles.sin(), angles.cos()), -1).flatten(-2))
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Ensemble(nn.Module):
    """Equal MLPs side by side: `[N, d_input] -> [C, N, d_output]`."""

    def __init__(self, n, d_input, d_output, d_hidden=256, n_layers=2):
        super().__init__()
        widths = [d_input] + [d_hidden] * n_layers + [d_output]
        uniform = lambda shape, bound: nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        pairs = list(zip(widths, widths[1:]))
        self.weights = nn.ParameterList(uniform((n, a, b), math.sqrt(3 / a)) for a, b in pairs)
        self.biases = nn.ParameterList(uniform((n, 1, b), math.sqrt(1 / a)) for a, b in pairs)

    def forward(self, x):
        x = x.expand(len(self.weights[0]), *x.shape)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(bias, F.leaky_relu(x, SLOPE) if i else x, weight)
        return x


class PopArt(nn.Module):
    """Running statistics of the targets of each discount."""

    def __init__(self, gammas, beta=5e-4):
        super().__init__()
        self.beta = beta
        for name, value in dict(mu=0.0, nu=100.0, w=1.0, b=0.0, t=1.0).items():
            self.register_buffer(name, torch.full((gammas,), value))

    @staticmethod
    def deviation(mu, nu):
        return (nu - mu.square()).clamp(1e-4, 1e8).sqrt().clamp(1e-4, 1e6)

    def sigma(self):
        return self.deviation(self.mu, self.nu)

    def update(self, target, mask):
        t, old_mu, old_sigma = self.t + 1, self.mu.clone(), self.sigma()
        rate, count, real = adaptive_rate(self.beta, t), mask.sum(), target * mask
        mu = torch.lerp(self.mu, real.sum((0, 1)) / count, rate)
        nu = torch.lerp(self.nu, real.square().sum((0, 1)) / count, rate)
        sigma = self.deviation(mu, nu)
        b = (old_sigma * self.b + old_mu - mu) / sigma
        self.w.mul_(old_sigma / sigma)
        self.mu.copy_(mu), self.nu.copy_(nu), self.b.copy_(b), self.t.copy_(t)

    def normalized(self, x):
        return x * self.w + self.b

    def normalize(self, target):
        return (target - self.mu) / self.sigma()

    def returns(self, x):
        return self.normalized(x) * self.sigma() + self.mu
