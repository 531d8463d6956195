"""An export in ONNX Runtime."""


def load(path, feeds):
    """path: an ONNX file. feeds: {name: file.npz with the inputs}."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    outputs = [output.name for output in session.get_outputs()]

    def function(feed):
        inputs = dict(np.load(feed))
        return lambda: dict(zip(outputs, session.run(outputs, inputs), strict=True))

    return {name: function(feed) for name, feed in feeds.items()}
