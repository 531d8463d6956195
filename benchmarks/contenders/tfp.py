"""TensorFlow Probability's own Real NVP of vectors: what a user of TensorFlow would pick instead.

Networks and Adam are those of tf_keras, which it is made for; each step and each answer is a `tf.function`.
"""


def load(dimensions, couplings, hidden_layers, hidden_units, batch, points, steps, learning_rate, jit=False):
    """As in the config; points: to score, and to sample. steps: of training in a call. jit: compiled by XLA."""
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tf_keras

    half = dimensions // 2

    def coupling():
        hidden = [tf_keras.layers.Dense(hidden_units, "relu") for _ in range(hidden_layers)]
        last = tf_keras.layers.Dense(2 * (dimensions - half), kernel_initializer="zeros")
        network = tf_keras.Sequential([*hidden, last])
        network.build((None, half))
        networks.append(network)
        split = lambda x, units, **_: tf.split(network(x), 2, axis=-1)  # noqa: E731
        return tfp.bijectors.RealNVP(num_masked=half, shift_and_log_scale_fn=split)

    networks, chain = [], []
    swap = tfp.bijectors.Permute([*range(half, dimensions), *range(half)])
    for _ in range(couplings):
        chain += [coupling(), swap]
    flow = tfp.distributions.TransformedDistribution(
        tfp.distributions.MultivariateNormalDiag(tf.zeros(dimensions)), tfp.bijectors.Chain(chain)
    )
    variables = [variable for network in networks for variable in network.trainable_variables]
    count = sum(variable.shape.num_elements() for variable in variables)
    optimizer = tf_keras.optimizers.Adam(learning_rate)
    optimizer.build(variables)
    x, many = tf.random.normal((batch, dimensions)), tf.random.normal((points, dimensions))

    @tf.function(jit_compile=jit)
    def step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def train():
        for _ in range(steps):
            value = step(x)
        return {"answer": value.numpy(), "parameters": count}

    def answer(function, *arguments):
        function = tf.function(function, jit_compile=jit)
        return lambda: {"answer": function(*arguments).numpy(), "parameters": count}

    sample = answer(lambda seed: flow.sample(points, seed=seed), tf.constant([0, 0]))
    return {"train": train, "log_prob": answer(flow.log_prob, many), "sample": sample}
