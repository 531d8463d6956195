"""An export in LiteRT, TensorFlow Lite's interpreter."""


def load(path, signature, feeds):
    """path: a .tflite file. feeds: {name: file.npz with the signature's inputs}."""
    import os

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(path, num_threads=len(os.sched_getaffinity(0))).get_signature_runner(signature)

    def function(feed):
        inputs = dict(np.load(feed))
        return lambda: run(**inputs)

    return {name: function(feed) for name, feed in feeds.items()}
