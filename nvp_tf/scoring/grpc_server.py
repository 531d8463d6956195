"""TensorFlow Serving by gRPC."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message

from nvp_tf.errors import UserError
from nvp_tf.scoring.scorer import Answers, Refused
from nvp_tf.scoring.server import Server, Unavailable
from nvp_tf.scoring.serving_protocol import (
    array_of,
    dtype_of,
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    tensor_of,
)

Answer = TypeVar("Answer")
_LATER = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),  # latents of a large batch pass the default of 4 MB
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]


class GrpcServer(Server):
    def _connect(self) -> None:
        channel = grpc.insecure_channel(self.address.removeprefix("grpc://"), options=_OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def _metadata(self) -> tuple[str, tuple[int, ...], str, Iterable[str]]:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request.model_spec)
        try:
            answer = self._call(self._stub.GetModelMetadata, request)
        except Refused as error:
            raise UserError(f"{self.model} is not to be had from {self.address}: {error}") from None
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        score = signatures.signature_def["score"]
        if len(score.inputs) != 1:
            raise UserError(f"{self.model} on {self.address} has no signature score, expected an export of nvp_tf")
        [(name, info)] = score.inputs.items()
        shape = tuple(dim.size for dim in info.tensor_shape.dim[1:])
        return name, shape, dtype_of(info.dtype), score.outputs

    def _ask(self, signature: str, batch: np.ndarray) -> Answers:
        request = predict_pb2.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = signature
        request.inputs[self.event.name].CopyFrom(tensor_of(np.asarray(batch, self.event.dtype)))
        outputs = self._call(self._stub.Predict, request).outputs
        return {name: array_of(tensor) for name, tensor in outputs.items()}

    def _name(self, spec: model_pb2.ModelSpec) -> None:
        spec.name = self.model
        if self.label:
            spec.version_label = self.label

    def _call(self, method: Callable[..., Answer], request: Message) -> Answer:
        try:
            return method(request, timeout=self.deadline)
        except grpc.RpcError as error:
            details = error.details().replace("last error: ", "")  # of the command's own line there is one
            why = f"{error.code().name}: {' '.join(details.split())[:300]}"
            if error.code() in _LATER:
                raise Unavailable(why) from None
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise UserError(f"{self.model} is not to be had from {self.address}: {why}") from None
            raise Refused(why) from None
