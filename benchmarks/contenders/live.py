"""A run's flow in this package, its log_prob as a graph."""


def load(path, feeds):
    """path: the run's folder. feeds: {name: file.npz with images or x}."""
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import numpy as np
    import tensorflow as tf

    from nvp_tf.runs.run_dir import RunDir

    flow = RunDir(path).load_flow()
    dtype = tf.float32 if flow.pixels is None else tf.uint8
    log_prob = tf.function(lambda x: flow.log_prob(x), [tf.TensorSpec((None, *flow.event_shape), dtype)])

    def function(feed):
        [values] = (tf.constant(array) for array in np.load(feed).values())
        return lambda: {"log_prob": log_prob(values).numpy()}

    return {name: function(feed) for name, feed in feeds.items()}
