"""The most that TensorFlow gets out of this machine: one large matrix product, one large convolution, in two dtypes."""


def load():
    """Each function's answer is `flop`, how many operations it takes."""
    from nvp_tf import cli

    cli.quiet_tensorflow()
    import tensorflow as tf

    from nvp_tf.benchmark import flop

    side, images = (2048, 2048), (64, 32, 32, 64)

    def function(operation, *shapes, dtype):
        arguments = [tf.cast(tf.random.stateless_normal(shape, [0, 0]), dtype) for shape in shapes]
        graph = tf.function(operation).get_concrete_function(*arguments)
        count = sum(flop.count(graph.graph).values())

        def call():
            graph(*arguments)
            return {"flop": count}

        return call

    def convolution(x, kernel):
        return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")

    functions = {}
    for dtype in ("float32", "bfloat16"):
        functions[f"matrix {dtype}"] = function(tf.matmul, side, side, dtype=dtype)
        functions[f"convolution {dtype}"] = function(convolution, images, (3, 3, 64, 64), dtype=dtype)
    return functions
