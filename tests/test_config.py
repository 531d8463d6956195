import dataclasses
import json

import pytest

from nvp_tf.config.presets.preset import Preset, Published
from nvp_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    NICEConfig,
    PixelsConfig,
    RealNVPConfig,
    TrainConfig,
    VectorRealNVPConfig,
)
from nvp_tf.errors import UserError
from nvp_tf.event import Event

IMAGES = Config(ModelConfig((8, 8, 1), RealNVPConfig(), PixelsConfig(17)), DataConfig("digits"), TrainConfig())
NICE = dataclasses.replace(IMAGES, model=ModelConfig((8, 8, 1), NICEConfig(), PixelsConfig(), "logistic"))
VECTORS = Config(ModelConfig((2,), VectorRealNVPConfig()), DataConfig("moons", "/data", True), TrainConfig(seed=3))


@pytest.mark.parametrize("config", [IMAGES, NICE, VECTORS])
def test_json_round_trip(config):
    assert Config.from_json(config.to_json()) == config
    assert hash(Config.from_json(config.to_json())) == hash(config)


@pytest.mark.parametrize(
    ("assignment", "read"),
    [
        ("train.steps=7", lambda c: c.train.steps == 7),
        ("train.learning_rate=1", lambda c: c.train.learning_rate == 1.0 and type(c.train.learning_rate) is float),
        ("train.schedule=cosine", lambda c: c.train.schedule == "cosine"),
        ("train.warmup_steps=1000", lambda c: c.train.warmup_steps == 1000),
        ("train.explosion=Infinity", lambda c: c.train.explosion == float("inf")),
        ("model.flow.batch_norm=false", lambda c: c.model.flow.batch_norm is False),
        ("model.event_shape=[4,4,3]", lambda c: c.model.event_shape == (4, 4, 3)),
        ("model.pixels=null", lambda c: c.model.pixels is None),
        ("data.data_dir=/a=b", lambda c: c.data.data_dir == "/a=b"),
    ],
)
def test_override(assignment, read):
    assert read(IMAGES.override([assignment]))
    assert IMAGES.override([]) == IMAGES


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.steps", "--set=train.steps: expected key=value"),
        ("train.stepz=1", "unknown key 'train.stepz', expected one of steps, batch_size"),
        ("trian.steps=1", "unknown key 'trian.steps', expected one of model, data, train"),
        ("steps=1", "unknown key 'steps'"),
        ("train.steps.x=1", "unknown key 'train.steps.x'"),
        ("train.steps=many", "train.steps is 'many', expected int"),
        ("train.steps=1.5", "train.steps is 1.5, expected int"),
        ("train.steps=true", "train.steps is True, expected int"),
        ("train.steps=0", "train.steps is 0, expected 1 to inf"),
        ("train.learning_rate=NaN", "train.learning_rate is nan, expected 0.0 to inf"),
        ("train.learning_rate=-1e-3", "train.learning_rate is -0.001"),
        ("train.learning_rate=Infinity", "train.learning_rate is inf, expected a finite number"),
        ("train.learning_rate=-Infinity", "train.learning_rate is -inf, expected 0.0 to inf"),
        ("train.l2=1e999", "train.l2 is inf, expected a finite number"),
        ("train.warmup_steps=1001", "train.warmup_steps is 1001, expected at most the 1000 of train.steps"),
        ("train.seed=-1", "train.seed is -1, expected 0 to"),
        ("train.schedule=linear", "train.schedule is 'linear', expected one of constant, cosine"),
        ("train=1", "train is 1, expected an object"),
        ("model.prior=cauchy", "prior is 'cauchy', expected one of normal, logistic"),
        ("model.pixels.levels=257", "model.pixels.levels is 257, expected 2 to 256"),
        ("model.pixels.alpha=0.5", "model.pixels.alpha is 0.5, expected 0.0 to 0.49"),
        ("model.pixels.range=symmetric", "model.pixels.range is 'symmetric'"),  # with a logit
        ("model.flow.kind=glow", "model.flow.kind is 'glow', expected one of nice, vector_realnvp, realnvp"),
        ("model.flow.kind=nice", "model.flow has the unknown key 'scales'"),
        ("model.flow.scales=5", "model.event_shape is (8, 8, 1), expected height and width divisible by 16"),
        ("model.flow.scales=4", "model.event_shape is (8, 8, 1), expected"),  # the last scale would be one pixel
        ("model.flow.checkerboard=striped", "model.flow.checkerboard is 'striped', expected one of masked, packed"),
        ("model.event_shape=[8,8]", "model.event_shape is (8, 8), expected (height, width, channels) or (dimensions,)"),
        ("model.event_shape=[8,8,0]", "model.event_shape is (8, 8, 0)"),
        ("model.event_shape=[64]", "model.event_shape is (64,), expected (height, width, channels) for flow kind"),
        ("model.event_shape=[8,8,1.0]", "model.event_shape is [8, 8, 1.0], expected a list of integers"),
        ("data.flips=1", "data.flips is 1, expected bool"),
        ("data.crops=2", "data.crops is 2, expected none: only folder takes it"),
        ("data.grey=true", "data.grey is True, expected none: only folder takes it"),
        ("data.array=x", "data.array is 'x', expected none: only npz takes it"),
        ("data.name=5", "data.name is 5, expected str"),
    ],
)
def test_bad_override(assignment, message):
    check(lambda: IMAGES.override([assignment]), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"].pop("prior"), "config.model lacks the key 'prior'"),
        (lambda c: c["data"].pop("name"), "config.data lacks the key 'name'"),
        (lambda c: c.pop("data"), "config lacks the key 'data'"),
        (lambda c: c["model"]["flow"].pop("kind"), "config.model.flow.kind is None"),
        (lambda c: c["data"].update(nmae="x"), "config.data has the unknown key 'nmae'"),
    ],
)
def test_bad_json(change, message):
    value = json.loads(IMAGES.to_json())
    change(value)
    check(lambda: Config.from_json(json.dumps(value)), message)


def test_a_run_from_before_a_training_option():
    """What a run's folder of an earlier version lacks: nothing that its weights depend on."""
    value = json.loads(IMAGES.to_json())
    del value["train"]["rollbacks"], value["train"]["steps"]
    assert Config.from_json(json.dumps(value)) == IMAGES


def test_a_trial_of_a_few_steps_keeps_its_preset_s_warm_up():
    config = IMAGES.override(["train.warmup_steps=200"]).override(["train.steps=6"])
    assert (config.train.steps, config.train.warmup_steps) == (6, 200)
    assert Config.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "config is [], expected an object"),
        ('{"model": {"prior": 1, "prior": 2}}', "the key 'prior' is given twice, expected once"),
    ],
)
def test_not_a_config(text, message):
    check(lambda: Config.from_json(text), message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig((1,), NICEConfig()), "event_shape is (1,), expected at least 2 dimensions"),
        (lambda: ModelConfig((8, 8, 1), VectorRealNVPConfig()), "expected (dimensions,) for flow kind vector_realnvp"),
        (lambda: ModelConfig((1, 1, 3), RealNVPConfig(scales=1)), "event_shape is (1, 1, 3), expected"),
    ],
)
def test_impossible_models(make, message):
    check(make, message)


def check(function, message):
    with pytest.raises(UserError) as caught:
        function()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("measured", "published", "words"),
    [
        ("1.9 bits/dim", Published(3.0), "1.9 bits/dim"),
        (None, Published(3.0), "3.00 bits/dim in the thesis, not run here"),
        (None, None, "not run here, and not in the thesis"),
    ],
)
def test_what_a_preset_is_expected_to_score(measured, published, words):
    assert Preset(IMAGES, "", measured, published).expected == words


def test_differences():
    other = IMAGES.override(["train.steps=5", "model.pixels=null", "data.data_dir=/elsewhere"])
    assert (
        IMAGES.differences(
            IMAGES.override(
                ["train.checkpoint_minutes=1", "train.keep_checkpoints=9", "train.recompute_couplings=true"]
            )
        )
        == []
    )
    assert IMAGES.differences(IMAGES) == []
    assert "train.steps: 1000 != 5" in IMAGES.differences(other)
    assert "model.pixels.levels: 17 != None" in IMAGES.differences(other)
    assert not any("data_dir" in line for line in IMAGES.differences(other))


@pytest.mark.parametrize(
    ("config", "levels", "pixels"),
    [
        (IMAGES, 256, PixelsConfig(256)),
        (IMAGES.override(["model.pixels.alpha=0.01"]), 2, PixelsConfig(2, alpha=0.01)),  # keeps its logit
        (IMAGES, None, None),  # real vectors
        (VECTORS, 17, PixelsConfig(17)),
    ],
)
def test_for_data(config, levels, pixels):
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, flow=NICEConfig()))
    data = DataConfig("other", flips=True)
    found = config.for_data(data, Event((4, 2, 3), levels))
    model = dataclasses.replace(config.model, event_shape=(4, 2, 3), pixels=pixels)
    assert found == Config(model, data, config.train)


def test_for_data_of_an_impossible_shape():
    check(
        lambda: IMAGES.for_data(IMAGES.data, Event((3, 3, 1), 17)),
        "event_shape is (3, 3, 1), expected height and width",
    )
