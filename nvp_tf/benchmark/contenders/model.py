"""A model of this package, its weights new: a training step, or log_prob, encode and sample, as graphs."""


def load(config, batch, train):
    """config: a Config as JSON. train: a step of training; else what a loaded run does, in float32.

    Each function's answer is what it computed, and `flop`, how many operations that takes, by kind.
    """
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import tensorflow as tf

    from nvp_tf.benchmark import flop
    from nvp_tf.config import Config
    from nvp_tf.models.build import build
    from nvp_tf.training_state import TrainingState

    config = Config.from_json(config)
    shape = (batch, *config.model.event_shape)
    noise = tf.random.stateless_uniform(shape, [0, 0])
    if config.model.pixels:
        x = tf.cast(config.model.pixels.levels * tf.random.stateless_uniform(shape, [0, 1]), tf.uint8)
    else:
        x = tf.random.stateless_normal(shape, [0, 1])
    seed = tf.constant(0, tf.int64)  # an argument: what is made of constants would be computed once

    def function(python, *arguments):
        graph = tf.function(python).get_concrete_function(*arguments)
        count = flop.count(graph.graph)
        return lambda: {"answer": graph(*arguments).numpy(), "flop": [count["matrix"], count["convolution"]]}

    if train:
        state = TrainingState(config)
        state.start_average()

        def step(x, noise):
            loss, _ = state.replica_step({"x": x, "noise": noise})
            if state.averaged:
                state.move_average()
            return loss

        return {"train": function(step, x, noise)}
    flow = build(config.model.exact())
    return {
        "log_prob": function(lambda x: flow.log_prob(x), x),  # 2 ms less a call than the method, with its defaults
        "encode": function(flow.encode, x),
        "sample": function(lambda seed: flow.decode(flow.sample_latents(batch, seed)), seed),
    }
