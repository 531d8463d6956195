"""Real NVP of images: couplings, their batch norms, scales."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.torch_models.networks import ResidualConvNet
from nvp_tf.layers import masks


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
