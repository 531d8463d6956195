"""A Real NVP of vectors in normflows, as its documentation builds one.

It trains with one intra-op thread and the fused Adam, which its defaults are slower than.
"""


def load(dimensions, couplings, hidden_layers, hidden_units, batch, points, steps, learning_rate, compiled=False):
    """compiled: with `torch.compile`. The others: as in the config, and of `torch_speed.functions`."""
    import normflows
    import torch

    from benchmarks.torch_speed import functions

    half = dimensions // 2
    widths = [dimensions - half, *[hidden_units] * hidden_layers, 2 * half]
    layers = []
    for _ in range(couplings):
        layers.append(normflows.flows.AffineCouplingBlock(normflows.nets.MLP(widths, init_zeros=True)))
        layers.append(normflows.flows.Permute(dimensions, mode="swap"))
    flow = normflows.NormalizingFlow(normflows.distributions.DiagGaussian(dimensions, trainable=False), layers)
    x, many = torch.randn(batch, dimensions), torch.randn(points, dimensions)
    sample = lambda n: flow.sample(n)[0]  # noqa: E731
    return functions(flow, flow.log_prob, sample, x, many, steps, learning_rate, threads=1, compiled=compiled)
