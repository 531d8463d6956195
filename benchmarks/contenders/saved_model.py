"""An export in TensorFlow, as it is."""


def load(path, signature, feeds):
    """path: the SavedModel's folder. feeds: {name: file.npz with the signature's inputs}."""
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import tensorflow as tf

    ask = tf.saved_model.load(path).signatures[signature]

    def function(feed):
        inputs = {name: tf.constant(array) for name, array in np.load(feed).items()}
        return lambda: {name: tensor.numpy() for name, tensor in ask(**inputs).items()}

    return {name: function(feed) for name, feed in feeds.items()}
