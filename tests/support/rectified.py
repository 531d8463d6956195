"""Small float64 networks with random weights, and their losses, gradients and Hessians by hand-held tapes."""

import keras
import numpy as np
import tensorflow as tf

L = keras.layers
F64 = {"dtype": "float64"}


def dense(*sizes, bias=False, activation="relu"):
    """n_0-n_1-...-n_K with a linear output."""
    hidden = [L.Dense(size, activation=activation, use_bias=bias, **F64) for size in sizes[1:-1]]
    return built([keras.Input((sizes[0],), **F64), *hidden, L.Dense(sizes[-1], use_bias=bias, **F64)])


def convolutional(*norms, pool=L.MaxPooling2D):
    """Two convolutions with batch norm or none, a pool, a dense layer."""
    first, second = ([norm] if norm else [] for norm in norms)
    layers = [
        *(keras.Input((4, 4, 1), **F64), L.Conv2D(2, 3, padding="same", **F64), *first, L.ReLU(**F64), pool(2, **F64)),
        *(L.Conv2D(3, 2, **F64), *second, L.LeakyReLU(**F64)),
        *(L.Flatten(**F64), L.Dense(2, **F64)),
    ]
    return built(layers)


def residual():
    """Two branches that meet again, and a third that is half as wide."""
    image = keras.Input((4, 4, 2), **F64)
    x = L.Conv2D(4, 3, padding="same", activation="relu", **F64)(image)
    deeper = L.Conv2D(4, 3, padding="same", activation="relu", **F64)(x)
    x = L.Concatenate(**F64)([L.Add(**F64)([x, deeper]), L.AveragePooling2D(1, **F64)(x)])
    x = L.DepthwiseConv2D(2, activation="relu", **F64)(x)
    x = L.SeparableConv2D(3, 2, activation="relu", **F64)(x)
    x = L.Conv2DTranspose(3, 2, activation="relu", **F64)(x)
    return randomize(keras.Model(image, L.Dense(2, **F64)(L.GlobalAveragePooling2D(**F64)(x))))


def built(layers):
    return randomize(keras.Sequential(layers))


def randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = rng.standard_normal(weight.shape)
        scale = (2 / np.prod(weight.shape[:-1])) ** 0.5 if len(weight.shape) > 1 else 0.3
        positive = weight.path.endswith(("variance", "gamma"))
        weight.assign(np.exp(0.5 * value) if positive else scale * value)
    return model


def norm(**kwargs):
    return L.BatchNormalization(**kwargs, **F64)


MODELS = {
    "two": lambda: dense(5, 7, 1),
    "three": lambda: dense(5, 6, 4, 2),
    "biases": lambda: dense(4, 5, 5, 3, bias=True),
    "leaky": lambda: dense(4, 5, 2, bias=True, activation="leaky_relu"),
    "convolutional": lambda: convolutional(None, None),
    "average_pool": lambda: convolutional(None, None, pool=L.AveragePooling2D),
    "batch_norm": lambda: convolutional(norm(), norm()),
    "batch_norm_without_gamma": lambda: convolutional(norm(scale=False), norm(center=False)),
    "residual": residual,
}


def data(model, n=8, seed=1):
    """(x, y) at random."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, *model.input_shape[1:])), rng.standard_normal((n, *model.output_shape[1:]))


def weights(model):
    return np.concatenate([v.numpy().ravel() for v in model.trainable_variables])


def statistics(model):
    return [v.numpy() for v in model.non_trainable_variables]


def split(model, theta):
    """theta [dim] -> the values of the trainable variables."""
    shapes = [tuple(v.shape) for v in model.trainable_variables]
    sizes = [int(np.prod(shape)) for shape in shapes]
    return [tf.reshape(part, shape) for part, shape in zip(tf.split(theta, sizes), shapes, strict=True)]


class Derivatives:
    """Of the mean squared error, with running statistics: (gradient, H v) by two tapes, traced once a network."""

    def __init__(self, model, x, y):
        self.model, self.x, self.y = model, tf.constant(x), tf.constant(y)
        self._both = tf.function(self._tapes, autograph=False)

    def loss(self, theta, fixed):
        outputs, _ = self.model.stateless_call(split(self.model, theta), fixed, self.x, training=False)
        return tf.reduce_mean(tf.reduce_sum((outputs - self.y) ** 2, axis=-1))

    def __call__(self, model, v):
        return self.at(weights(model), statistics(model), v)

    def at(self, theta, fixed, v):
        """At any weights and statistics of this network."""
        return [
            part.numpy() for part in self._both(tf.constant(theta), [tf.constant(f) for f in fixed], tf.constant(v))
        ]

    def _tapes(self, theta, fixed, v):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                value = self.loss(theta, fixed)
            gradient = inner.gradient(value, theta)
            along = tf.reduce_sum(gradient * v)
        return gradient, outer.gradient(along, theta)
