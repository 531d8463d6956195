"""A model of this package, its weights new: steps of training as a run does them, or log_prob, encode and sample of its
fixed copy, as an export is."""


def load(config, batch, train):
    """config: a Config as JSON; its networks' dtype is what they compute in. train: a call of training; else answers.

    Each function's answer is what it computed, how many `parameters` are trained, `flop`, how many operations that
    takes, by kind, and `steps`, of a call.
    """
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import dataclasses

    import tensorflow as tf

    from nvp_tf.config.schema import Config
    from nvp_tf.models.build import build
    from nvp_tf.training import flop
    from nvp_tf.training.choices import set_threads
    from nvp_tf.training.state import TrainingState
    from nvp_tf.training.steps import Calls, steps_of_a_call

    config = Config.from_json(config)

    def data(*shape):
        shape = (*shape, *config.model.event_shape)
        if config.model.pixels is None:
            return {"x": tf.random.stateless_normal(shape, [0, 1])}
        x = tf.cast(config.model.pixels.levels * tf.random.stateless_uniform(shape, [0, 1]), tf.uint8)
        return {"x": x, "noise": tf.random.stateless_uniform(shape, [0, 0])}

    def function(graph, flow, *arguments, steps=1):
        operations = flop.count(graph.get_concrete_function(*arguments).graph)
        about = {
            "parameters": flow.parameters,
            "flop": [steps * operations[kind] for kind in flop.KINDS],
            "steps": steps,
        }
        return lambda: {"answer": tf.nest.flatten(graph(*arguments))[-1].numpy()} | about

    if train:
        set_threads(config)
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, batch_size=batch))
        state = TrainingState(config)
        state.start_average()
        calls = Calls(config, state.flow.count_params(), replicas=1)
        call, size = steps_of_a_call(state, tf.distribute.get_strategy(), calls), calls.size
        return {"train": function(call, state.flow, data(batch, size), tf.constant(size), steps=size)}
    flow, x = build(config.model, network_dtype=config.train.network_dtype).fixed(), data(batch)["x"]
    seed = tf.constant(0, tf.int64)  # an argument: what is made of constants would be computed once
    answers = {
        "log_prob": (lambda x: flow.log_prob(x), x),  # 2 ms less a call than the method, with its defaults
        "encode": (flow.encode, x),
        "sample": (lambda seed: flow.decode(flow.sample_latents(batch, seed)), seed),
    }
    return {name: function(tf.function(python), flow, argument) for name, (python, argument) in answers.items()}
