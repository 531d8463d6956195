"""NICE and Real NVP for images in plain PyTorch, of the shapes that `nvp_tf.models.build` gives them.

What they are is said there; with the same weights they give the same log_prob (tests/engines/test_peers.py).
Parameters and buffers are registered in the order of our own weights. Imported in the environment of the peers.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from nvp_tf import masks
from nvp_tf.benchmark.torch_speed import network
from nvp_tf.config import NICEConfig, RealNVPConfig


class Pixels(nn.Module):
    """Integers and noise to reals, and back to integers."""

    def __init__(self, config):
        super().__init__()
        self.levels, self.alpha = config.levels, config.alpha
        self.low, self.high = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}[config.range]

    def forward(self, x, noise):
        p = (x.to(noise.dtype) + noise) / self.levels
        slope = math.log((1 - 2 * self.alpha if self.alpha else self.high - self.low) / self.levels)
        if not self.alpha:
            return self.low + (self.high - self.low) * p, slope * x[0].numel()
        p = self.alpha + (1 - 2 * self.alpha) * p
        y = torch.logit(p)
        return y, (F.softplus(y) + F.softplus(-y) + slope).flatten(1).sum(1)

    def inverse(self, y):
        if self.alpha:
            p = (torch.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha)
        else:
            p = (y - self.low) / (self.high - self.low)
        return (self.levels * p).floor().clamp(0, self.levels - 1).to(torch.uint8)


class Prior:
    """The same density in every dimension: "normal" or "logistic"."""

    def __init__(self, name):
        self.normal = name == "normal"

    def log_prob(self, z):
        """Of each example, [n]."""
        if self.normal:
            return -0.5 * (z.square() + math.log(2 * math.pi)).flatten(1).sum(1)
        z = z.abs()
        return (-z - 2 * torch.log1p(torch.exp(-z))).flatten(1).sum(1)

    def sample(self, shape):
        return torch.randn(shape) if self.normal else torch.logit(torch.rand(shape).clamp(1e-7, 1 - 1e-7))


class NICE(nn.Module):
    """Its latents are the two parities, which stay apart from beginning to end: nothing is gathered in between."""

    def __init__(self, event_shape, config):
        super().__init__()
        size = math.prod(event_shape)
        self.event_shape, self.latents = event_shape, [((size + 1) // 2,), (size // 2,)]
        (even,), (odd,) = self.latents
        self.networks = nn.ModuleList()
        for i in range(config.couplings):
            inputs, outputs = (odd, even) if i % 2 else (even, odd)
            self.networks.append(network(inputs, config.hidden_units, config.hidden_layers, outputs))
        self.scaling = nn.ParameterDict({"log_scale": torch.zeros(size)})

    def forward(self, x):
        x, log_scale = x.flatten(1), self.scaling["log_scale"]
        even, odd = x[:, 0::2], x[:, 1::2]
        for i, net in enumerate(self.networks):
            even, odd = (even + net(odd), odd) if i % 2 else (even, odd + net(even))
        return [even * log_scale[0::2].exp(), odd * log_scale[1::2].exp()], log_scale.sum()

    def inverse(self, latents):
        (even, odd), log_scale = latents, self.scaling["log_scale"]
        even, odd = even * (-log_scale[0::2]).exp(), odd * (-log_scale[1::2]).exp()
        for i, net in reversed(list(enumerate(self.networks))):
            even, odd = (even - net(odd), odd) if i % 2 else (even, odd - net(even))
        x = even.new_empty(len(even), len(log_scale))
        x[:, 0::2], x[:, 1::2] = even, odd
        height, width, channels = self.event_shape
        return x.view(-1, channels, height, width)


class Conv(nn.Module):
    """A weight-normalized convolution; `scale` as in `nvp_tf.networks.WeightNormConv2D`."""

    def __init__(self, inputs, outputs, size, bias=True, scale=None):
        super().__init__()
        bound = (2 / inputs) ** 0.5
        kernel = torch.empty(outputs, inputs, size, size).uniform_(-bound, bound)
        self.direction = nn.Parameter(kernel.to(memory_format=torch.channels_last))
        if scale is not None:
            self.magnitude = nn.Parameter(torch.full((outputs,), scale * bound * (inputs * size**2 / 3) ** 0.5))
        else:
            self.magnitude = None
        self.offset = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.padding = size // 2

    def forward(self, x):
        scale = torch.rsqrt(self.direction.square().sum((1, 2, 3)) + 1e-12)
        if self.magnitude is not None:
            scale = scale * self.magnitude
        return F.conv2d(x, self.direction * scale[:, None, None, None], self.offset, padding=self.padding)


class BatchNorm(nn.Module):
    """With an offset and no scale."""

    def __init__(self, channels, momentum):
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.momentum = 1 - momentum  # PyTorch's is the share of the new

    def forward(self, x):
        return F.batch_norm(x, self.mean, self.variance, None, self.beta, self.training, self.momentum, eps=1e-4)


class ResidualBlock(nn.Module):
    def __init__(self, filters, momentum):
        super().__init__()
        self.norm_1 = BatchNorm(filters, momentum)
        self.conv_1 = Conv(filters, filters, 3, bias=False)
        self.norm_2 = BatchNorm(filters, momentum)
        self.conv_2 = Conv(filters, filters, 3, bias=False, scale=0.5)
        self.skip = Conv(filters, filters, 1, bias=False, scale=0.5)

    def forward(self, h, out):
        r = self.conv_1(F.relu(self.norm_1(h), inplace=True))
        h = h + self.conv_2(F.relu(self.norm_2(r), inplace=True))
        return h, out + self.skip(h)


class ResidualConvNet(nn.Module):
    def __init__(self, inputs, filters, blocks, outputs, momentum, mask=None):
        super().__init__()
        self.norm_in = BatchNorm(inputs, momentum)
        self.conv_in = Conv(2 * inputs + (mask is not None), filters, 3, bias=False)
        self.skip_in = Conv(filters, filters, 1, bias=False, scale=0.5)
        self.blocks = nn.ModuleList(ResidualBlock(filters, momentum) for _ in range(blocks))
        self.norm_out = BatchNorm(filters, momentum)
        self.conv_out = Conv(filters, outputs, 1, scale=0.0)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x):
        u = self.norm_in(x.contiguous(memory_format=torch.channels_last))
        parts = [u, -u]
        if self.mask is not None:
            parts = [2 * u, -2 * u, self.mask.to(u.dtype).expand(len(x), 1, *x.shape[2:])]
        h = self.conv_in(F.relu(torch.cat(parts, 1), inplace=True))
        out = self.skip_in(h)
        for block in self.blocks:
            h, out = block(h, out)
        return self.conv_out(F.relu(self.norm_out(out), inplace=True))


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, outputs):
        t, s = outputs.chunk(2, 1)
        return t, self.gamma * torch.tanh(s)


class FlowNorm(nn.Module):
    """The flow's own batch normalization: statistics of all channels, of which the changed ones have some."""

    def __init__(self, channels, config):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.momentum, self.epsilon = config.momentum, config.epsilon

    @torch.no_grad()
    def move(self, mean, variance, part=slice(None)):
        self.mean[part].lerp_(mean, 1 - self.momentum)
        self.variance[part].lerp_(variance, 1 - self.momentum)

    def log_scale(self, variance):
        return -0.5 * torch.log(variance + self.epsilon)


class Masked(nn.Module):
    """A coupling with a mask that multiplies, a checkerboard, and its batch norm."""

    def __init__(self, shape, filters, swap, config):
        super().__init__()
        height, width, channels = shape
        kept = torch.tensor(masks.checkerboard(height, width, 1, swap)).permute(2, 0, 1).float()
        self.network = ResidualConvNet(channels, filters, config.blocks, 2 * channels, config.momentum, kept)
        self.transform = Affine()
        self.norm = FlowNorm(channels, config)
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("changed", 1 - kept, persistent=False)
        self.count = (1 - kept).sum().item()  # pixels that are changed

    def parameters_of(self, x):
        t, s = self.transform(self.network(x * self.kept).to(x.dtype))
        return t * self.changed, s * self.changed

    def forward(self, x):
        t, s = self.parameters_of(x)
        y = (x + t) * s.exp()
        mean, variance = self.statistics(y) if self.training else (self.norm.mean, self.norm.variance)
        log_scale = self.norm.log_scale(variance)
        normal = (y - mean[:, None, None]) * log_scale.exp()[:, None, None]
        return torch.where(self.changed > 0, normal, y), s.sum((1, 2, 3)) + self.count * log_scale.sum()

    def statistics(self, y):
        count = len(y) * self.count
        mean = (y * self.changed).sum((0, 2, 3)) / count
        variance = ((y - mean[:, None, None]).square() * self.changed).sum((0, 2, 3)) / count
        self.norm.move(mean, variance)
        return mean, variance

    def inverse(self, y):
        log_scale = self.norm.log_scale(self.norm.variance)
        x = y * (-log_scale).exp()[:, None, None] + self.norm.mean[:, None, None]
        x = torch.where(self.changed > 0, x, y)
        t, s = self.parameters_of(x)
        return x * (-s).exp() - t


class Split(nn.Module):
    """A coupling of one half of the channels with the other, and its batch norm."""

    def __init__(self, shape, filters, swap, config):
        super().__init__()
        height, width, channels = shape
        half = channels // 2
        self.network = ResidualConvNet(half, filters, config.blocks, 2 * half, config.momentum)
        self.transform = Affine()
        self.norm = FlowNorm(channels, config)
        self.swap, self.pixels = swap, height * width
        self.part = slice(0, half) if swap else slice(half, channels)  # of the channels, what is changed

    def halves(self, x):
        first, second = x.chunk(2, 1)
        return (second, first) if self.swap else (first, second)

    def merged(self, kept, changed):
        return torch.cat((changed, kept) if self.swap else (kept, changed), 1)

    def forward(self, x):
        kept, changed = self.halves(x)
        t, s = self.transform(self.network(kept).to(x.dtype))
        changed = (changed + t) * s.exp()
        if self.training:
            variance, mean = torch.var_mean(changed, (0, 2, 3), correction=0)
            self.norm.move(mean, variance, self.part)
        else:
            mean, variance = self.norm.mean[self.part], self.norm.variance[self.part]
        log_scale = self.norm.log_scale(variance)
        changed = (changed - mean[:, None, None]) * log_scale.exp()[:, None, None]
        return self.merged(kept, changed), s.sum((1, 2, 3)) + self.pixels * log_scale.sum()

    def inverse(self, y):
        kept, changed = self.halves(y)
        log_scale = self.norm.log_scale(self.norm.variance[self.part])
        changed = changed * (-log_scale).exp()[:, None, None] + self.norm.mean[self.part, None, None]
        t, s = self.transform(self.network(kept).to(y.dtype))
        return self.merged(kept, changed * (-s).exp() - t)


class RealNVP(nn.Module):
    """The masked multi-scale one: a scale and, within it, those that follow. It has latents of each scale."""

    def __init__(self, shape, config, level=0):
        super().__init__()
        height, width, channels = shape
        filters = config.filters * 2**level
        last = level == config.scales - 1
        couplings = range(config.couplings)
        self.checkerboards = nn.ModuleList(
            Masked(shape, filters, i % 2 == 1, config) for i in range(config.couplings + last)
        )
        squeezed = (height // 2, width // 2, 4 * channels)
        self.channels = nn.ModuleList(
            Split(squeezed, 2 * filters, i % 2 == 1, config) for i in ([] if last else couplings)
        )
        self.inner = None if last else RealNVP((height // 2, width // 2, 2 * channels), config, level + 1)
        self.latents = [(channels, height, width)]
        if not last:
            self.latents = [(2 * channels, height // 2, width // 2), *self.inner.latents]

    def forward(self, x):
        total = 0
        for coupling in self.checkerboards:
            x, log_det = coupling(x)
            total = total + log_det
        if self.inner is None:
            return [x], total
        x = F.pixel_unshuffle(x, 2)
        for coupling in self.channels:
            x, log_det = coupling(x)
            total = total + log_det
        a, z = self.diagonals(x)
        inner, log_det = self.inner(a)
        return [z, *inner], total + log_det

    def inverse(self, latents):
        if self.inner is None:
            [x] = latents
        else:
            z, *inner = latents
            x = self.together(self.inner.inverse(inner), z)
            for coupling in reversed(self.channels):
                x = coupling.inverse(x)
            x = F.pixel_shuffle(x, 2)
        for coupling in reversed(self.checkerboards):
            x = coupling.inverse(x)
        return x

    def diagonals(self, x):
        """Squeezed channels as two halves: of each 2x2 block, the pixels (0,0) and (1,1), then (0,1) and (1,0)."""
        p00, p01, p10, p11 = x.unflatten(1, (-1, 4)).unbind(2)
        return torch.cat([p00, p11], 1), torch.cat([p01, p10], 1)

    def together(self, a, z):
        (p00, p11), (p01, p10) = a.chunk(2, 1), z.chunk(2, 1)
        return torch.stack([p00, p01, p10, p11], 2).flatten(1, 2)


class Flow(nn.Module):
    """A bijection with its pixels and its prior. Images are [n, channels, height, width]."""

    def __init__(self, bijection, pixels, prior):
        super().__init__()
        self.bijection, self.pixels, self.prior = bijection, pixels, prior

    def log_prob(self, x, noise):
        x, of_pixels = self.pixels(x, noise)
        latents, log_det = self.bijection(x)
        return sum(self.prior.log_prob(z) for z in latents) + log_det + of_pixels

    def sample(self, n):
        return self.pixels.inverse(self.bijection.inverse([self.prior.sample((n, *z)) for z in self.bijection.latents]))


def of(config):
    """The Flow of a ModelConfig."""
    kind = {NICEConfig: NICE, RealNVPConfig: RealNVP}[type(config.flow)]
    return Flow(kind(config.event_shape, config.flow), Pixels(config.pixels), Prior(config.prior))
