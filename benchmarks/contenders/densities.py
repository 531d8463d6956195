"""Samples of a PixelCNN by both samplers, and scores of a MAF by this project and by TFP alone, of the same weights."""


def load(side, images, dimensions, points):
    """Functions of a PixelCNN of grey images, `images` a call, and of a MAF of vectors, `points` a call."""
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    from nvp_tf.densities import pixelcnn_sampler
    from nvp_tf.densities.contract import Domain
    from nvp_tf.densities.maf import MafDensity, MafSettings
    from nvp_tf.densities.pixelcnn import PixelCnnDensity, PixelCnnSettings

    def graph(function, *arguments):
        function = tf.function(function, autograph=False)
        return lambda: {"answer": function(*arguments).numpy()}

    pixelcnn = PixelCnnDensity(Domain((side, side, 1), 256), PixelCnnSettings())
    noise = pixelcnn.noise(images, tf.constant([1, 2], tf.int64))
    maf = MafDensity(Domain((dimensions,)), MafSettings())
    x = tf.constant(np.random.default_rng(0).standard_normal((points, dimensions)), tf.float32)

    def affine(made):
        def function(y):
            outputs = made(y)
            return outputs[..., 0], 4 * tf.tanh(outputs[..., 1] / 4)

        return function

    def by_tfp(x):
        flows = [tfp.bijectors.MaskedAutoregressiveFlow(affine(made)) for made in maf.model.made]
        normal = tfp.distributions.MultivariateNormalDiag(tf.zeros(dimensions))
        return tfp.distributions.TransformedDistribution(normal, tfp.bijectors.Chain(flows)).log_prob(x)

    return {
        "maf": graph(lambda x: maf.graph_log_prob(x)[0], x),
        "maf_by_tfp": graph(by_tfp, x),
        "cached": graph(lambda *noise: pixelcnn_sampler.cached(pixelcnn, noise), *noise),
        "naive": graph(lambda *noise: pixelcnn_sampler.naive(pixelcnn, noise), *noise),
    }
