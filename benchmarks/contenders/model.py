"""A model of this package, its weights new: steps of training as a run does them, or log_prob, encode and sample of its
fixed copy."""


def load(config, batch, train):
    """config: a Config as JSON; its networks' dtype is what they compute in. train: a call of training; else answers.

    Each function's answer is what it computed, how many `parameters` are trained, and `steps`, of a call. "flop of" it
    says how many operations that takes, by kind.
    """
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import dataclasses

    import tensorflow as tf

    from nvp_tf import runtime
    from nvp_tf.config.schema import Config
    from nvp_tf.models.build import build
    from nvp_tf.models.fixed_flow import fixed
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

    def functions(name, function, flow, *arguments, steps=1):
        def flop_of_it():
            graph = function if hasattr(function, "get_concrete_function") else tf.function(function)
            operations = flop.count(graph.get_concrete_function(*arguments).graph)
            return {"flop": [steps * operations[kind] for kind in flop.KINDS]}

        def call():
            return {"answer": tf.nest.flatten(function(*arguments))[-1].numpy()} | about

        about = {"parameters": flow.parameters, "steps": steps}
        return {name: call, f"flop of {name}": flop_of_it}

    if train:
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, batch_size=batch))
        set_threads(config)
        state = TrainingState(config)
        state.start_average()
        calls = Calls(config, state.flow.count_params(), replicas=1)
        call, size = steps_of_a_call(state, tf.distribute.get_strategy(), calls), calls.size
        return functions("train", call, state.flow, data(batch, size), tf.constant(size), steps=size)
    runtime.set_threads(1)  # parts of the examples are answered beside each other
    flow, x = fixed(build(config.model, network_dtype=config.train.network_dtype)), data(batch)["x"]
    return {
        **functions("log_prob", flow.log_prob, flow, x),
        **functions("encode", flow.encode, flow, x),
        **functions("sample", flow.sample, flow, batch),
    }
