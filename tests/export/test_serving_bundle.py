"""The files for TensorFlow Serving, read with the server's own messages and used as it uses them."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.exporting import serving
from nvp_tf.exporting.serving import ServingBundle

NAMES = ("grey", "colour", "vector")


@pytest.fixture(scope="module")
def bundles(saved, tmp_path_factory):
    """{name: (flow, x, the model's folder with its files, a session that asks as the server does)}."""
    made, folder = {}, tmp_path_factory.mktemp("bundles")
    for name, (flow, x, model) in saved.items():
        model = shutil.copytree(model, folder / name / "1")
        bundle = ServingBundle(model.parent, x, flow.event)
        bundle.write_inside(model)
        bundle.write_beside(1)
        made[name] = flow, x, model.parent, Session(model)
    return made


class Session:
    """A session on the tensors that the signatures name: how the server runs a model, with and without batching."""

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            self.signatures = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder)).signature_def

    def ask(self, signature, **inputs):
        signature = self.signatures[signature]
        assert set(inputs) == set(signature.inputs)
        feeds = {signature.inputs[name].name: value for name, value in inputs.items()}
        return self.session.run({name: info.name for name, info in signature.outputs.items()}, feeds)


@pytest.mark.parametrize("name", NAMES)
def test_the_server_can_warm_up_whether_it_merges_requests_or_not(name, bundles):
    _, _, folder, session = bundles[name]
    file = folder / "1" / "assets.extra" / "tf_serving_warmup_requests"
    logs = [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(file))]
    assert {log.WhichOneof("log_type") for log in logs} == {"predict_log"}
    warmed = []
    for request in (log.predict_log.request for log in logs):
        signature, rows = request.model_spec.signature_name, {len(tf.make_ndarray(v)) for v in request.inputs.values()}
        answer = session.ask(signature, **{k: tf.make_ndarray(v) for k, v in request.inputs.items()})
        assert request.model_spec.name == name and {len(output) for output in answer.values()} == rows
        assert all(np.isfinite(output).all() for output in answer.values())
        warmed.append((signature, *rows))
    # A server that merges requests refuses scalars and more rows than its limit, and then does not load the model.
    without_scalars = {s for s, d in session.signatures.items() if all(i.tensor_shape.dim for i in d.inputs.values())}
    assert sorted(warmed) == sorted((s, n) for s in without_scalars - {"__saved_model_init_op"} for n in (1, 64))


@pytest.mark.parametrize("name", NAMES)
def test_a_score_does_not_depend_on_the_requests_it_is_merged_with(name, bundles):
    """The server concatenates the rows of several requests: here with a bad row among them, if there can be one."""
    flow, x, _, session = bundles[name]
    key = "images" if flow.pixels else "x"
    bad = np.full_like(x[:1], 255 if flow.pixels else np.nan)
    alone = np.concatenate([session.ask("score", **{key: x[i : i + 1]})["log_prob"] for i in range(serving.MERGED)])
    np.testing.assert_allclose(alone, flow.log_prob(x[: serving.MERGED]), rtol=0, atol=1e-3)
    for n in (2, 7, 33, serving.MERGED):
        rows = np.concatenate([x[: n // 2], bad, x[n // 2 : n - 1]])
        merged = np.delete(session.ask("score", **{key: rows})["log_prob"], n // 2)
        np.testing.assert_allclose(merged, alone[: n - 1], rtol=0, atol=1e-3, err_msg=str(n))


@pytest.mark.parametrize("name", NAMES)
def test_the_request_is_a_held_out_example(name, bundles):
    """As the server reads it: `instances` are the rows of the signature's only input."""
    flow, x, folder, session = bundles[name]
    request = json.loads((folder / "request.json").read_text())
    [(key, info)] = session.signatures[request["signature_name"]].inputs.items()
    rows = np.array(request["instances"], tf.as_dtype(info.dtype).as_numpy_dtype)
    np.testing.assert_array_equal(rows, x[:1])
    score = session.ask(request["signature_name"], **{key: rows})
    np.testing.assert_allclose(score["log_prob"], flow.log_prob(x[:1]), rtol=0, atol=1e-3)
    assert "percentile" in score


def config(folder):
    message = text_format.Parse((folder / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    [model] = message.model_config_list.config
    return model


def test_stable_moves_only_by_hand(tmp_path):
    folder, x = tmp_path / "my model", np.zeros((2, 3), np.float32)
    folder.mkdir()
    ServingBundle(folder, x, Event((3,))).write_beside(3)
    model = config(folder)
    assert (model.name, model.base_path, model.model_platform) == ("my model", "/models/my model", "tensorflow")
    assert model.model_version_policy.WhichOneof("policy_choice") == "all"
    assert dict(model.version_labels) == {"stable": 3, "canary": 3}
    export = ServingBundle(folder, x, Event((3,)))
    export.write_beside(4)
    assert dict(config(folder).version_labels) == {"stable": 3, "canary": 4}
    text = (folder / "models.config").read_text()
    edited = re.sub(r'(key: "stable"\s+value:) 3', r"\1 4", text).replace('"my model"', '"renamed"')
    edited = edited.replace("version_labels", 'version_labels { key: "old" value: 3 }\n    version_labels', 1)
    (folder / "models.config").write_text(edited)
    (folder / "batching.config").write_text("theirs")
    export.write_beside(5)  # edited while the export ran
    assert dict(config(folder).version_labels) == {"stable": 4, "canary": 5, "old": 3}
    assert config(folder).name == "renamed" and (folder / "batching.config").read_text() == "theirs"
    two = edited.replace("  config {", '  config { name: "other" }\n  config {', 1)
    for wrong, message in ((edited + "}", "is not a ModelServerConfig: "), (two, "has 2 models, expected one")):
        (folder / "models.config").write_text(wrong)
        with pytest.raises(UserError, match=message):
            ServingBundle(folder, x, Event((3,)))


# tensorflow_serving/servables/tensorflow/session_bundle_config.proto of 2.20.0; tensorflow-serving-api lacks it.
BATCHING_PARAMETERS = """
  google.protobuf.Int64Value max_batch_size = 1;
  google.protobuf.Int64Value batch_timeout_micros = 2;
  google.protobuf.Int64Value max_enqueued_batches = 3;
  google.protobuf.Int64Value num_batch_threads = 4;
  google.protobuf.StringValue thread_pool_name = 5;
  repeated int64 allowed_batch_sizes = 6;
  bool pad_variable_length_inputs = 7;
  google.protobuf.BoolValue enable_large_batch_splitting = 8;
  google.protobuf.Int64Value max_execution_batch_size = 9;
"""


def batching_parameters():
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", syntax="proto3", package="tensorflow.serving")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message, kind = file.message_type.add(name="BatchingParameters"), descriptor_pb2.FieldDescriptorProto
    for repeated, type_name, name, number in re.findall(r"(repeated )?([\w.]+) (\w+) = (\d+);", BATCHING_PARAMETERS):
        scalar = {"int64": kind.TYPE_INT64, "bool": kind.TYPE_BOOL}.get(type_name)
        label = kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL
        field = message.field.add(name=name, number=int(number), label=label, type=scalar or kind.TYPE_MESSAGE)
        if scalar is None:
            field.type_name = f".{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters"))()


def test_the_batching_is_what_the_server_accepts(bundles):
    parameters = text_format.Parse((bundles["grey"][2] / "batching.config").read_text(), batching_parameters())
    largest, merged = parameters.max_batch_size.value, parameters.max_execution_batch_size.value
    assert parameters.enable_large_batch_splitting.value and 0 < merged <= largest
    assert merged == serving.MERGED == max(serving.WARM_SIZES)
    assert parameters.max_enqueued_batches.value * merged >= largest  # or the largest request never fits in the queue
    assert not parameters.allowed_batch_sizes  # an empty request would end the server


def test_the_readme_holds_the_commands(tmp_path):
    folder = tmp_path / "it's"
    folder.mkdir()
    ServingBundle(folder, np.zeros((1, 2, 2, 1), np.uint8), Event((2, 2, 1), 256)).write_beside(1)
    commands = re.sub(r"\\\n", "", (folder / "README.md").read_text())
    docker, curl, score = (shlex.split(line) for line in commands.splitlines() if line.startswith("    "))
    assert docker[-4] == serving.IMAGE and "--model_config_file=/models/it's/models.config" in docker
    assert "$PWD:/models/it's:ro" in docker
    assert curl[-1] == "http://localhost:8501/v1/models/it%27s/labels/stable:predict"
    assert score[-2:] == ["--model=it's", "picture.png"]
