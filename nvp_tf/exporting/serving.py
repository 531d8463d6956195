"""What TensorFlow Serving takes with a SavedModel, and what a person needs to start it.

NAME/<version>/assets.extra/tf_serving_warmup_requests   what the server asks itself before it takes requests
NAME/models.config     the model and its labels: --model_config_file
NAME/batching.config   how a server merges small requests: --batching_parameters_file
NAME/request.json      one held-out example as the body of a REST request
NAME/README.md         the commands
"""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.files import write_text
from nvp_tf.scoring.contract import LATENTS, SIGNATURES

IMAGE = "tensorflow/serving:2.20.0"
# Signatures without scalars. A server that merges requests refuses scalars, and one refused
# warm-up request keeps it from loading the model.
WARMED = [name for name, signature in SIGNATURES.items() if not signature.scalars]
MERGED = 64  # Rows the server runs at once.
WARM_SIZES = (1, MERGED)


class ServingBundle:
    """The files for one more version of a model.

    Args:
      export_dir: the model's folder, whose name is the model's.
      examples: held-out [n, *event_shape], of which the first is in request.json.
      event: the model's `Event`.
      signatures: those that the model has.

    Raises:
      UserError: models.config, which a person may edit, is not one.
    """

    def __init__(
        self, export_dir: Path, examples: np.ndarray, event: Event, signatures: Iterable[str] = tuple(SIGNATURES)
    ) -> None:
        self.folder, self.examples, self.event = export_dir.resolve(), np.asarray(examples), event
        self.warmed = [name for name in WARMED if name in signatures]
        self._config()  # Refused now, not after the minutes of an export.

    def write_inside(self, version_dir: Path) -> None:
        """The warm-up requests, before the server can see the version."""
        file = version_dir / "assets.extra" / "tf_serving_warmup_requests"
        file.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(file)) as writer:
            for signature in self.warmed:
                for n in WARM_SIZES:
                    writer.write(self._warm_up(signature, n).SerializeToString())

    def write_beside(self, version: int) -> None:
        """The rest, once the version is in place. The label `canary` moves to it; `stable` only if it is nowhere."""
        config = self._config()
        [model] = config.model_config_list.config
        if "stable" not in model.version_labels:
            model.version_labels["stable"] = version
        model.version_labels["canary"] = version
        write_text(self.folder / "models.config", _CONFIG_COMMENT + text_format.MessageToString(config))
        if not (self.folder / "batching.config").exists():  # its numbers are the user's
            write_text(self.folder / "batching.config", _BATCHING)
        request = {"signature_name": "score", "instances": self.examples[:1].tolist()}
        write_text(self.folder / "request.json", json.dumps(request) + "\n")
        write_text(self.folder / "README.md", self._readme(model))

    def _config(self) -> model_server_config_pb2.ModelServerConfig:
        """A ModelServerConfig of one model: the file's as it is, or a new one."""
        config, file = model_server_config_pb2.ModelServerConfig(), self.folder / "models.config"
        if file.exists():
            try:
                text_format.Parse(file.read_text(encoding="utf-8"), config)
            except (text_format.ParseError, UnicodeDecodeError) as error:
                raise UserError(f"{file} is not a ModelServerConfig: {error}") from None
            if len(config.model_config_list.config) != 1:
                raise UserError(f"{file} has {len(config.model_config_list.config)} models, expected one")
            return config
        name = self.folder.name
        model = config.model_config_list.config.add(name=name, base_path=f"/models/{name}", model_platform="tensorflow")
        model.model_version_policy.all.SetInParent()  # a labelled version must be loaded, and no other can be labelled
        return config

    def _warm_up(self, signature: str, n: int) -> prediction_log_pb2.PredictionLog:
        rows = np.resize(self.examples, (n, *self.examples.shape[1:]))
        [name] = SIGNATURES[signature].inputs_of(self.event)
        inputs = {name: np.zeros((n, self.event.dimensions), np.float32) if name == LATENTS else rows}
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.name, request.model_spec.signature_name = self.folder.name, signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        return log

    def _readme(self, model: model_server_config_pb2.ModelConfig) -> str:
        words = {"quoted": shlex.quote(model.name), "path": shlex.quote(model.base_path), "image": IMAGE}
        readme = _README.format(name=model.name, in_url=quote(model.name, safe=""), **words)
        return readme + (_PICTURE.format(**words) if self.event.is_image else "")


_CONFIG_COMMENT = """\
# --model_config_file of TensorFlow Serving. An export moves the label `canary` to its version and leaves all else.
# `stable` is yours to move: write another version here, and the server follows. Comments are not kept.
"""

_BATCHING = f"""\
# --batching_parameters_file of TensorFlow Serving, written by the first export. Its numbers are yours.
# No allowed_batch_sizes: padding to one ends the server when the last of the merged requests is empty.
max_batch_size {{ value: 1024 }}  # rows of one request; more are refused
enable_large_batch_splitting {{ value: true }}
max_execution_batch_size {{ value: {MERGED} }}  # rows run at once
batch_timeout_micros {{ value: 2000 }}  # how long a request waits for others
max_enqueued_batches {{ value: 100 }}
"""

_README = """\
# {name}

Exported by nvp_tf for TensorFlow Serving; its docs/serving.md has the rest. `<version>/export.json` says what
was exported and how it was checked. In this folder, start a server:

    docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD":{path}:ro {image} \\
        --model_config_file={path}/models.config --model_config_file_poll_wait_seconds=10 \\
        --allow_version_labels_for_unavailable_models

Score the held-out example of request.json:

    curl -d @request.json http://localhost:8501/v1/models/{in_url}/labels/stable:predict
"""

_PICTURE = """
A picture, in nvp_tf's folder:

    nvp_tf score --server=grpc://localhost:8500 --model={quoted} picture.png
"""
