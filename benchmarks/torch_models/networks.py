"""The residual networks of Real NVP's couplings."""

import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Module):
    """A weight-normalized convolution; `scale` as in `nvp_tf.layers.convolution.WeightNormConv2D`."""

    def __init__(self, inputs, outputs, size, scale=None, bias=False):
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
        self.conv_1 = Conv(filters, filters, 3)
        self.norm_2 = BatchNorm(filters, momentum)
        self.conv_2 = Conv(filters, filters, 3, scale=0.5)
        self.skip = Conv(filters, filters, 1, scale=0.5)

    def forward(self, h, out):
        r = self.conv_1(F.relu(self.norm_1(h), inplace=True))
        h = h + self.conv_2(F.relu(self.norm_2(r), inplace=True))
        return h, out + self.skip(h)


class ResidualConvNet(nn.Module):
    def __init__(self, inputs, filters, blocks, outputs, momentum, mask=None):
        super().__init__()
        self.norm_in = BatchNorm(inputs, momentum)
        self.conv_in = Conv(2 * inputs + (mask is not None), filters, 3)
        self.skip_in = Conv(filters, filters, 1, scale=0.5)
        self.blocks = nn.ModuleList(ResidualBlock(filters, momentum) for _ in range(blocks))
        self.norm_out = BatchNorm(filters, momentum)
        self.conv_out = Conv(filters, outputs, 1, scale=0.0, bias=True)
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
