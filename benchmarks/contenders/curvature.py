"""Curvature of a Keras classifier by `nvp_tf.flatness`, in float64."""


def load(model, data, batch, only=None, probes=99, k=5):
    """Functions of one network on one batch; the first of them, which is called at once, is what `only` names.

    model: a .keras file. data: an .npz of x, y and a vector v, one entry a weight. batch: so many of its examples.
    """
    import numpy as np

    from nvp_tf import cli

    cli.quiet_tensorflow()
    import keras
    import tensorflow as tf

    from nvp_tf.flatness.clone import float64_clone
    from nvp_tf.flatness.curvature import Curvature
    from nvp_tf.flatness.losses import loss_of
    from nvp_tf.flatness.operators import hessian
    from nvp_tf.flatness.spectrum import top
    from nvp_tf.flatness.trace import hutch_plus_plus, hutchinson

    with np.load(data) as arrays:
        x, y, v = (arrays[key] for key in ("x", "y", "v"))
    repeated = np.arange(batch) % len(x)  # more examples than there are are the same ones again
    batches = [(tf.constant(x[repeated], tf.float64), tf.constant(y[repeated]))]
    loss = loss_of(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    curvature = Curvature(float64_clone(keras.models.load_model(model)), loss, batches)
    operator = hessian(curvature)
    v = v[: curvature.dim]

    def largest():
        found = top(operator, k, tolerance=1e-8)
        return {"values": found.values, "residuals": found.residuals, "products": found.products}

    def trace():
        found = hutchinson(operator, probes).estimate
        return {"value": found.value, "error": found.error, "products": probes}

    def sketched_trace():
        found = hutch_plus_plus(operator, probes)
        return {"value": found.value, "error": found.error, "products": probes}

    functions = {
        "product": lambda: {"answer": curvature.hessian(v), "examples": curvature.examples},
        "gradient": lambda: {"answer": curvature.gradient()},
        "largest": largest,
        "trace": trace,
        "sketched_trace": sketched_trace,
    }
    return functions if only is None else {only: functions[only]}
