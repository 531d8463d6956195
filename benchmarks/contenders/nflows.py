"""A Real NVP of vectors in nflows, as its documentation builds one, with this project's network.

It trains with one intra-op thread and the fused Adam, which its defaults are slower than.
"""


def load(dimensions, couplings, hidden_layers, hidden_units, batch, points, steps, learning_rate, compiled=False):
    """compiled: with `torch.compile`. The others: as in the config, and of `torch_speed.functions`."""
    import torch
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.transforms.base import CompositeTransform
    from nflows.transforms.coupling import AffineCouplingTransform

    from benchmarks.torch_speed import functions, network

    class Network(torch.nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.layers = network(inputs, hidden_units, hidden_layers, outputs)

        def forward(self, x, context=None):
            return self.layers(x)

    masks = [(torch.arange(dimensions) + i) % 2 for i in range(couplings)]
    flow = Flow(
        CompositeTransform([AffineCouplingTransform(mask, Network) for mask in masks]), StandardNormal([dimensions])
    )
    x, many = torch.randn(batch, dimensions), torch.randn(points, dimensions)
    return functions(flow, flow.log_prob, flow.sample, x, many, steps, learning_rate, threads=1, compiled=compiled)
