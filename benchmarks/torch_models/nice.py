"""NICE of images."""

import math

import torch
from torch import nn

from benchmarks.torch_speed import network


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
