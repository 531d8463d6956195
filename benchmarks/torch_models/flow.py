"""What stands around a bijection: pixels before it, a prior behind it."""

import math

import torch
from torch import nn
from torch.nn import functional as F


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
