"""A small stand-in for TensorFlow Serving: its messages by gRPC and REST, answers from the real SavedModel.

python -I stand_in.py NAME MODEL_DIR [trouble] -> prints one line of JSON, {"grpc": port, "rest": port}

trouble: every so manyth request gets UNAVAILABLE (503).
"""

import itertools
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

LABELS = ("", "stable")


class Problem(Exception):
    """(gRPC status, what the client is told)"""


class Model:
    """What both protocols ask."""

    def __init__(self, name, folder, trouble):
        self.name = name
        # Kept whole: its functions do not work once it is gone.
        self._model = tf.saved_model.load(folder)
        self.signatures = self._model.signatures
        self.trouble, self.count = trouble, itertools.count(1)

    def spec(self, name, label):
        if name != self.name:
            raise Problem(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})")
        if label not in LABELS:
            raise Problem(grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")

    def predict(self, signature, inputs):
        if self.trouble and next(self.count) % self.trouble == 0:
            raise Problem(grpc.StatusCode.UNAVAILABLE, "the stand-in makes trouble")
        signature = signature or "serving_default"
        if signature not in self.signatures:
            raise Problem(grpc.StatusCode.INVALID_ARGUMENT, f"Serving signature key '{signature}' not found.")
        function = self.signatures[signature]
        expected = function.structured_input_signature[1]
        if set(inputs) != set(expected):
            raise Problem(grpc.StatusCode.INVALID_ARGUMENT, f"inputs are {sorted(inputs)}, expected {sorted(expected)}")
        for key, value in inputs.items():
            if value.dtype != expected[key].dtype.as_numpy_dtype:
                raise Problem(grpc.StatusCode.INVALID_ARGUMENT, f"{key} has dtype {value.dtype}")
        try:
            return {k: v.numpy() for k, v in function(**{k: tf.constant(v) for k, v in inputs.items()}).items()}
        except Exception as error:
            raise Problem(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:200]) from None

    def signature_map(self):
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, function in self.signatures.items():
            signature = signatures.signature_def[name]
            for key, spec in function.structured_input_signature[1].items():
                signature.inputs[key].dtype = spec.dtype.as_datatype_enum
                for size in spec.shape:
                    signature.inputs[key].tensor_shape.dim.add(size=-1 if size is None else size)
            for key, spec in function.structured_outputs.items():
                signature.outputs[key].dtype = spec.dtype.as_datatype_enum
        return signatures


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self.model = model

    def Predict(self, request, context):
        try:
            spec = request.model_spec
            self.model.spec(spec.name, spec.version_label)
            inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
            answer = predict_pb2.PredictResponse()
            for key, value in self.model.predict(spec.signature_name, inputs).items():
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return answer
        except Problem as problem:
            context.abort(*problem.args)

    def GetModelMetadata(self, request, context):
        try:
            self.model.spec(request.model_spec.name, request.model_spec.version_label)
        except Problem as problem:
            context.abort(*problem.args)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.metadata["signature_def"].Pack(self.model.signature_map())
        return answer


STATUS = {grpc.StatusCode.NOT_FOUND: 404, grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.UNAVAILABLE: 503}


def handler(model):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(self._metadata)

        def do_POST(self):
            self._answer(self._predict)

        def _answer(self, what):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                path, _, verb = self.path.removeprefix("/v1/models/").partition(":")
                name, *rest = path.removesuffix("/metadata").split("/")
                model.spec(name, rest[1] if rest else "")
                status, answer = 200, what(body, verb)
            except Problem as problem:
                status, answer = STATUS[problem.args[0]], {"error": problem.args[1]}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _metadata(self, _, verb):
            signatures = json_format.MessageToDict(
                model.signature_map(), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            return {"metadata": {"signature_def": signatures}}

        def _predict(self, body, verb):
            try:
                request = json.loads(body)
            except ValueError:
                raise Problem(grpc.StatusCode.INVALID_ARGUMENT, "JSON Parse error") from None
            signature = request.get("signature_name", "serving_default")
            inputs = request.get("inputs")
            [(key, spec)] = model.signatures[signature].structured_input_signature[1].items()
            rows = "instances" in request
            inputs = {key: request["instances"]} if rows else inputs
            try:
                arrays = {key: np.array(value) for key, value in inputs.items()}
            except ValueError:
                raise Problem(grpc.StatusCode.INVALID_ARGUMENT, "a list that is not rectangular") from None
            dtype = spec.dtype.as_numpy_dtype
            if dtype == np.uint8 and any(array.dtype.kind != "i" for array in arrays.values()):
                raise Problem(grpc.StatusCode.INVALID_ARGUMENT, "expected integers")
            # The server keeps the low eight bits of an integer.
            answers = {
                k: v.tolist()
                for k, v in model.predict(signature, {k: a.astype(dtype) for k, a in arrays.items()}).items()
            }
            if rows:
                return {
                    "predictions": [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]
                }
            return {"outputs": answers if len(answers) > 1 else next(iter(answers.values()))}

        def log_message(self, *_):
            pass

    return Handler


def main(name, folder, trouble="0"):
    model = Model(name, folder, int(trouble))
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(model), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    rest = ThreadingHTTPServer(("127.0.0.1", 0), handler(model))
    print(json.dumps({"grpc": port, "rest": rest.server_address[1], "pid": os.getpid()}), flush=True)
    rest.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
