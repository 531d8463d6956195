"""Checks that share no code with what they check: autodiff, finite differences, numerical integrals."""

import numpy as np
import tensorflow as tf


def log_det_by_autodiff(function, x):
    """log |det dy/dx| of each row, from the Jacobian matrix. function: x -> y, row by row.

    Each row is repeated once a dimension; repetition i asks for the gradient of y_i, so that one backward pass
    gives every row of the matrix. That rows do not know each other is tested in `conformance/test_shapes.py`.
    """
    n, size = len(x), int(np.prod(x.shape[1:]))
    repeated = tf.repeat(tf.convert_to_tensor(x), size, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(repeated)
        y = tf.reshape(function(repeated), [n, size, size])
        diagonal = tf.linalg.trace(y)
    jacobian = tape.gradient(diagonal, repeated)
    return np.linalg.slogdet(np.reshape(jacobian, [n, size, size]))[1]


def directional_derivative(function, variables, directions, step=1e-6):
    """d function / d step along `directions`, by a central difference. The variables are left as they were."""
    start = [v.numpy() for v in variables]
    values = []
    for sign in (1, -1):
        for variable, value, direction in zip(variables, start, directions, strict=True):
            variable.assign(value + sign * step * direction)
        values.append(float(function()))
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    return (values[0] - values[1]) / (2 * step)


def grid(low, high, cells, dimensions=2):
    """Centres of the cells of a regular grid, [cells ** dimensions, dimensions], and a cell's volume."""
    side = low + (np.arange(cells) + 0.5) * (high - low) / cells
    points = np.stack(np.meshgrid(*[side] * dimensions, indexing="ij"), axis=-1)
    return points.reshape(-1, dimensions), ((high - low) / cells) ** dimensions


def histogram(samples, low, high, cells):
    """Share of the samples in each cell of `grid`, those outside counted in the whole."""
    edges = [np.linspace(low, high, cells + 1)] * samples.shape[1]
    return np.histogramdd(samples, edges)[0].ravel() / len(samples)


def log_density(prior, z):
    """The textbook densities, summed over each row."""
    z = np.asarray(z).reshape(len(z), -1)
    if prior == "normal":
        return (-(z**2) / 2 - np.log(np.sqrt(2 * np.pi))).sum(axis=1)
    return (-z - 2 * np.log(1 + np.exp(-z))).sum(axis=1)
