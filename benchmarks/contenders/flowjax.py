"""A Real NVP of vectors in flowjax: its `coupling_flow`, and its own compiled training step, one a call."""


def load(dimensions, couplings, hidden_layers, hidden_units, batch, points, steps, learning_rate):
    """As in the config; points: to score, and to sample. steps: of training in a call."""
    import equinox as eqx
    import jax
    import numpy as np
    import optax
    import paramax
    from flowjax.bijections import Affine
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow
    from flowjax.train.losses import MaximumLikelihoodLoss
    from flowjax.train.train_utils import step

    key = jax.random.key(0)
    flow = coupling_flow(
        key,
        base_dist=Normal(jax.numpy.zeros(dimensions)),
        transformer=Affine(),
        flow_layers=couplings,
        nn_width=hidden_units,
        nn_depth=hidden_layers,
    )
    trained = lambda leaf: isinstance(leaf, paramax.NonTrainable)  # noqa: E731
    params, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=trained)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    optimizer, loss = optax.adam(learning_rate), MaximumLikelihoodLoss()
    state = [params, optimizer.init(params)]
    x, many = jax.random.normal(key, (batch, dimensions)), jax.random.normal(key, (points, dimensions))

    def train():
        for _ in range(steps):
            *state[:], value = step(state[0], static, x, optimizer=optimizer, opt_state=state[1], loss_fn=loss, key=key)
        return {"answer": np.asarray(value), "parameters": count}

    log_prob = eqx.filter_jit(lambda flow: flow.log_prob(many))
    sample = eqx.filter_jit(lambda flow: flow.sample(key, (points,)))

    def answer(function):
        return lambda: {"answer": np.asarray(function(flow)), "parameters": count}

    return {"train": train, "log_prob": answer(log_prob), "sample": answer(sample)}
