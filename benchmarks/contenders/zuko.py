"""A Real NVP of vectors in zuko, which calls it NICE.

It trains with one intra-op thread and the fused Adam, which its defaults are slower than.
"""


def load(dimensions, couplings, hidden_layers, hidden_units, batch, points, steps, learning_rate, compiled=False):
    """compiled: with `torch.compile`. The others: as in the config, and of `torch_speed.functions`."""
    import torch
    import zuko

    from benchmarks.torch_speed import functions

    flow = zuko.flows.NICE(dimensions, transforms=couplings, hidden_features=[hidden_units] * hidden_layers)
    x, many = torch.randn(batch, dimensions), torch.randn(points, dimensions)
    log_prob = lambda x: flow().log_prob(x)  # noqa: E731
    sample = lambda n: flow().sample((n,))  # noqa: E731
    return functions(flow, log_prob, sample, x, many, steps, learning_rate, threads=1, compiled=compiled)
