"""What processes of `warm` have imported when they begin."""

from nvp_tf.runtime import uncollected

with uncollected():
    import tensorflow  # noqa: F401
    import tensorflow_probability  # noqa: F401

    import nvp_tf.exporting.export
    import nvp_tf.training.train  # noqa: F401
