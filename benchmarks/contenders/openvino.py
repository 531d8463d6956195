"""An export in OpenVINO."""


def load(path, feeds, precision="f32"):
    """path: a SavedModel's folder, for its serving_default, or an ONNX file. feeds: {name: file.npz with the inputs}.

    precision: "f32"; None for OpenVINO's own choice, bfloat16 where the processor computes it faster.
    """
    import numpy as np
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
    model = openvino.Core().compile_model(path, "CPU", hints)

    def function(feed):
        inputs = dict(np.load(feed))
        return lambda: {output.any_name: array for output, array in model(inputs).items()}

    return {name: function(feed) for name, feed in feeds.items()}
