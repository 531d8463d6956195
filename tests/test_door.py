"""The Python door: a run or a person's own arrays, and a Flow in return; the README's example as it is printed."""

import re

import numpy as np
import pytest
import tensorflow as tf
from commands import ROOT, digits_run

import nvp_tf
from nvp_tf.data.arrays import from_arrays
from nvp_tf.errors import UserError

BRIEF = ["train.steps=6", "train.evaluate_every=3", "train.batch_size=7", "train.ema_decay=0.5"]
SMALL = ["model.flow.couplings=1", "model.flow.filters=3", "model.flow.blocks=0"]
RNG = np.random.RandomState(0)
# name: (preset, changes, data, event shape, levels)
DATA = {
    "grey": ("realnvp_digits", SMALL, RNG.randint(0, 256, (40, 4, 4)), (4, 4, 1), 256),
    "colour": ("realnvp_digits", SMALL, RNG.randint(0, 256, (40, 4, 6, 3)).astype(np.uint8), (4, 6, 3), 256),
    "levels": (
        "nice_digits",
        ["model.flow.hidden_units=8"],
        from_arrays(RNG.randint(0, 5, (40, 3, 3)).astype(np.int64), levels=5),
        (3, 3, 1),
        5,
    ),
    "vectors": ("realnvp_two_moons", ["model.flow.couplings=2"], RNG.randn(40, 3), (3,), None),
}


@pytest.mark.parametrize("name", DATA)
def test_train_on_own_arrays(name, tmp_path):
    preset, changes, data, shape, levels = DATA[name]
    config = nvp_tf.preset(preset, *changes, *BRIEF)
    flow = nvp_tf.train(config, data, tmp_path / "run", progress=False)
    assert flow.event_shape == shape and (flow.pixels and flow.pixels.levels) == levels
    x = (data if isinstance(data, np.ndarray) else data.test._array.numpy())[:5].reshape(-1, *shape)
    check_calls(flow, x.astype(np.uint8 if levels else np.float32))
    again = nvp_tf.load(tmp_path / "run")
    np.testing.assert_array_equal(again.log_prob(x[:2]), flow.log_prob(x[:2]))
    with pytest.raises(UserError, match=r"another config \(train.seed: 0 != 5\)"):
        nvp_tf.train(nvp_tf.preset(preset, *changes, *BRIEF, "train.seed=5"), data, tmp_path / "run", progress=False)


def test_load():
    path, _ = digits_run()
    images = RNG.randint(0, 17, (6, 8, 8, 1)).astype(np.uint8)
    for weights in ("best", "last"):
        check_calls(nvp_tf.load(path, weights), images)
    flow = nvp_tf.load(str(path))
    outside = np.where(np.arange(64).reshape(1, 8, 8, 1) == 5, 17, images[:1]).astype(np.uint8)
    assert flow.log_prob(outside).numpy() == -np.inf and np.isposinf(flow.bits_per_dim(outside))
    with pytest.raises(UserError, match="weights is 'worst', expected one of best, last"):
        nvp_tf.load(path, "worst")


def check_calls(flow, x):
    """Every method, on arrays and on tensors."""
    log_prob = flow.log_prob(x).numpy()
    assert log_prob.shape == (len(x),) and np.isfinite(log_prob).all()
    np.testing.assert_allclose(flow.log_prob(tf.constant(x)), log_prob, atol=1e-4)
    latents = flow.encode(x)
    assert latents.shape == (len(x), flow.dimensions)
    back = flow.decode(latents.numpy())
    if flow.pixels is None:
        np.testing.assert_allclose(back, x, atol=1e-4)
        with pytest.raises(UserError, match="use log_prob"):
            flow.bits_per_dim(x)
    else:
        np.testing.assert_array_equal(back, x)
        np.testing.assert_allclose(flow.bits_per_dim(x), -log_prob / (flow.dimensions * np.log(2)), rtol=1e-5)
    samples = flow.sample(3, seed=1)
    assert samples.shape == (3, *flow.event_shape) and samples.dtype == back.dtype
    np.testing.assert_array_equal(samples, flow.sample(3, seed=1))
    assert (samples.numpy() != flow.sample(3, seed=2).numpy()).any()
    for wrong in ({"num_samples": -1}, *({"num_samples": 1, "temperature": t} for t in (0.0, -1.0, np.nan, np.inf))):
        with pytest.raises(UserError, match=r"(num_samples|temperature) is .*expected"):
            flow.sample(**wrong)


def test_names():
    assert set(nvp_tf.__all__) <= set(dir(nvp_tf))
    with pytest.raises(AttributeError, match=r"nvp_tf has no 'lode', it has .*load"):
        nvp_tf.lode  # noqa: B018


def test_readme_example(monkeypatch, tmp_path):
    """The first Python block of README.md that loads a run, on this session's run."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    example = next(block for block in blocks if "nvp_tf.load(" in block)
    loaded = re.search(r"nvp_tf\.load\(\s*[\"']([^\"']+)[\"']", example)
    assert loaded, example
    monkeypatch.chdir(tmp_path)  # What it writes, it writes here.
    exec(compile(example.replace(loaded[1], str(digits_run()[0])), "README.md", "exec"), {"__name__": "readme"})
