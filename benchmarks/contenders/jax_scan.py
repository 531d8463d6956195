"""The same Real NVP of vectors in plain JAX: many steps in one compiled call, by `lax.scan`.

What a person would write for this one model and this one machine; the optimizer is optax's Adam.
"""


def load(dimensions, couplings, hidden_layers, hidden_units, batch, points, steps, learning_rate):
    """As in the config; points: to score, and to sample. steps: of training in a call."""
    from functools import partial

    import jax
    import numpy as np
    import optax
    from jax import numpy as jnp

    key = jax.random.key(0)
    kept = [(np.arange(dimensions) + i) % 2 == 0 for i in range(couplings)]

    def initial(mask, key):
        widths = [int(mask.sum()), *[hidden_units] * hidden_layers, 2 * int((~mask).sum())]
        kernels = [
            np.sqrt(2 / a) * jax.random.normal(k, (a, b))
            for a, b, k in zip(widths, widths[1:], jax.random.split(key, len(widths)), strict=False)
        ]
        kernels[-1] = jnp.zeros_like(kernels[-1])
        return {"kernels": kernels, "biases": [jnp.zeros(b) for b in widths[1:]], "gamma": jnp.ones(())}

    params = [initial(mask, k) for mask, k in zip(kept, jax.random.split(key, couplings), strict=True)]
    count = sum(leaf.size for leaf in jax.tree.leaves(params))

    def shift_and_scale(layer, x):
        *hidden, last = zip(layer["kernels"], layer["biases"], strict=True)
        for kernel, bias in hidden:
            x = jax.nn.relu(x @ kernel + bias)
        t, s = jnp.split(x @ last[0] + last[1], 2, axis=-1)
        return t, layer["gamma"] * jnp.tanh(s)

    def log_prob(params, x):
        log_det = 0
        for mask, layer in zip(kept, params, strict=True):
            t, s = shift_and_scale(layer, x[:, mask])
            x, log_det = x.at[:, ~mask].set((x[:, ~mask] + t) * jnp.exp(s)), log_det + s.sum(-1)
        return log_det - 0.5 * (x**2 + jnp.log(2 * jnp.pi)).sum(-1)

    def sample(params, key):
        x = jax.random.normal(key, (points, dimensions))
        for mask, layer in reversed(list(zip(kept, params, strict=True))):
            t, s = shift_and_scale(layer, x[:, mask])
            x = x.at[:, ~mask].set(x[:, ~mask] * jnp.exp(-s) - t)
        return x

    optimizer = optax.adam(learning_rate)

    @partial(jax.jit, donate_argnums=0)
    def many_steps(state, batches):
        def step(state, x):
            params, moments = state
            value, gradients = jax.value_and_grad(lambda params: -log_prob(params, x).mean())(params)
            updates, moments = optimizer.update(gradients, moments)
            return (optax.apply_updates(params, updates), moments), value

        return jax.lax.scan(step, state, batches)

    state = [(params, optimizer.init(params))]
    batches = jax.random.normal(key, (steps, batch, dimensions))
    many = jax.random.normal(key, (points, dimensions))
    asked = jax.tree.map(jnp.array, params)  # what is trained is given away

    def train():
        state[0], values = many_steps(state[0], batches)
        return {"answer": np.asarray(values), "parameters": count}

    def answer(function, argument):
        function = jax.jit(function)
        return lambda: {"answer": np.asarray(function(asked, argument)), "parameters": count}

    return {"train": train, "log_prob": answer(log_prob, many), "sample": answer(sample, key)}
