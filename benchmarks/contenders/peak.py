"""The most that TensorFlow gets out of this machine (`nvp_tf.peak`), in two dtypes."""


def load():
    """Each function's answer is `flop`, how many operations it takes."""
    from nvp_tf import cli

    cli.quiet_tensorflow()
    from nvp_tf.training import flop, peak

    def function(kind, dtype):
        run, count = peak.operation(kind, dtype)

        def call():
            run()
            return {"flop": count}

        return call

    return {f"{kind} {dtype}": function(kind, dtype) for dtype in ("float32", "bfloat16") for kind in flop.KINDS}
