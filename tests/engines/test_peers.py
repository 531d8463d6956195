"""What ours is timed against is the same model: with the same weights, the PyTorch ones give the same log_prob."""

import json
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from cases import randomize
from commands import ENVIRONMENT, ROOT

from benchmarks import peers
from benchmarks.workloads import curvature, two_moons
from nvp_tf.config.presets.registry import get_preset
from nvp_tf.models.build import build

pytestmark = pytest.mark.engines
IN_TORCH = """
import json, sys
import numpy as np, torch
from benchmarks.torch_models import of
from nvp_tf.config.schema import Config

torch.manual_seed(0)
given = dict(np.load(sys.argv[2]))
model = of(Config.from_json(sys.argv[1]).model)
values = [torch.tensor(given[f"weight_{i}"]) for i in range(len(model.state_dict()))]
for own, value in zip(model.state_dict().values(), values, strict=True):
    own.copy_(value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T if value.ndim == 2 else value)
model.double()
x, noise = (torch.tensor(given[name]).permute(0, 3, 1, 2) for name in ("x", "noise"))
with torch.no_grad():
    scores = [model.train(training).log_prob(x, noise).tolist() for training in (False, True)]
    latents, _ = model.eval().bijection(noise)
    back = (model.bijection.inverse(latents) - noise).abs().max().item()
    samples = list(model.float().sample(7).shape)
parameters = sum(p.numel() for p in model.parameters())
print(json.dumps({"scores": scores, "back": back, "samples": samples, "parameters": parameters, "count": len(values)}))
"""
MODELS = {
    "nice": ("nice_digits", []),
    "odd nice": ("nice_digits", ["model.event_shape=[3,5,1]", "model.pixels.alpha=0.05", "model.prior=normal"]),
    "realnvp": ("realnvp_digits", ["model.flow.couplings=3", "model.flow.filters=4", "model.flow.scales=3"]),
    "colour": ("realnvp_cifar10", ["model.event_shape=[8,8,3]", "model.flow.filters=4", "model.flow.blocks=2"]),
}


@pytest.fixture(scope="module", autouse=True)
def environment():
    subprocess.run([ROOT / "bin" / "setup", "peers"], check=True)


@pytest.mark.parametrize("name", MODELS)
def test_the_torch_model_is_ours(name, tmp_path):
    preset, changes = MODELS[name]
    config = get_preset(preset).config.override(changes)
    flow = randomize(build(config.model, "float64"))
    rng = np.random.default_rng(0)
    noise = rng.uniform(size=(5, *flow.event_shape))
    x = rng.integers(config.model.pixels.levels, size=noise.shape)
    arrays = {f"weight_{i}": weight.numpy() for i, weight in enumerate(flow.weights)}
    np.savez(tmp_path / "given.npz", x=x, noise=noise, **arrays)
    line = [peers.PYTHON, "-P", "-c", IN_TORCH, config.to_json(), tmp_path / "given.npz"]
    found = json.loads(subprocess.run(line, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout)
    height, width, channels = flow.event_shape
    assert found["count"] == len(arrays) and found["back"] < 1e-9 and found["samples"] == [7, channels, height, width]
    assert found["parameters"] == flow.parameters
    for training, scores in zip((False, True), found["scores"], strict=True):
        np.testing.assert_allclose(scores, flow.log_prob(tf.constant(x), noise, training=training), rtol=1e-9)


def test_peers_of_points():
    result = two_moons.run(rounds=1, seconds=0.0, against="torch")
    [table] = result["tables"]
    assert table["absent"] == {}
    for name, row in table["contenders"].items():  # each learns scales in its own way: a number a coupling, or none
        assert abs(row["parameters"] - table["contenders"]["ours"]["parameters"]) <= 8, name


def test_curvature_is_what_others_find():
    result = curvature.run(rounds=1, against="torch")
    assert result["absent"] == {} and [check for check in result["checks"] if not check["holds"]] == []
    for name, row in result["contenders"].items():
        if name != "ours":
            assert row["product_difference"] < (1e-4 if "float32" in name else 1e-12), name
