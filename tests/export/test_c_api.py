"""A process without Python TensorFlow gets, through TensorFlow's C API, the answers of the flow."""

import json
import subprocess
import sys
from pathlib import Path

import c_api_client
import numpy as np
import pytest
import tensorflow as tf

NAMES = ("grey", "colour", "vector")


@pytest.fixture(scope="module")
def asked(saved, tmp_path_factory):
    """{name: (flow, x, answers, refusals)}, all from one process."""
    folder, arguments = tmp_path_factory.mktemp("c_api"), []
    for name, (_, x, model) in saved.items():
        np.save(folder / f"{name}.npy", x)
        arguments += [model, folder / f"{name}.npy", folder / f"{name}.npz"]
    line = [sys.executable, "-I", c_api_client.__file__, Path(tf.__file__).parent, *arguments]
    done = subprocess.run(list(map(str, line)), cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert not {"tensorflow", "keras", "nvp_tf"} & set(told["modules"]) and "numpy" in told["modules"]
    return {
        name: (flow, x, np.load(folder / f"{name}.npz"), said)
        for (name, (flow, x, _)), said in zip(saved.items(), told["refusals"], strict=True)
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_signature_answers_as_the_flow(name, asked):
    flow, x, answers, _ = asked[name]
    key, live = ("images" if flow.pixels else "x"), flow.log_prob(x).numpy()
    assert live.std() > 0.3 and len(x) >= 297
    for ask in ("by_1", "by_7", "by_256", "serving_default", "log_prob"):
        np.testing.assert_allclose(answers[f"{ask}/log_prob"], live, rtol=0, atol=1e-3, err_msg=ask)
    np.testing.assert_allclose(answers["encode/latents"], flow.encode(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(answers[f"decode/{key}"], x[:256], rtol=0, atol=0 if flow.pixels else 1e-4)
    draws = {argument: value.item() for argument, value in c_api_client.DRAW.items()}
    np.testing.assert_allclose(answers[f"sample/{key}"], flow.sample(**draws), rtol=0, atol=1 if flow.pixels else 1e-4)
    assert (answers[f"fresh/{key}"] != answers[f"sample/{key}"]).any()
    draws = [flow.log_prob(x[:20], tf.random.stateless_uniform(flow.event_shape, [5, k])).numpy() for k in range(3)]
    expected = np.logaddexp.reduce(np.array(draws, np.float64)) - np.log(3)
    np.testing.assert_allclose(answers["log_prob_with_noise/log_prob"], expected, rtol=0, atol=1e-3)
    assert answers["empty/percentile"].shape == (0,) and answers[f"none/{key}"].shape == (0, *flow.event_shape)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_a_status_with_a_clear_message(name, asked):
    flow, _, _, refusals = asked[name]
    kind, sides = ("uint8" if flow.pixels else "float"), ",".join(map(str, flow.event_shape))
    messages = {
        "dtype": f"to be {kind} but double is provided",
        "rank": f"is not compatible with expected shape [?,{sides}]",
        "depth": f"is not compatible with expected shape [?,{sides}]",
        "latents": f"is not compatible with expected shape [?,{flow.dimensions}]",
        "num_samples": "num_samples is] [-1] [expected 0 to",
        "temperature": "temperature is] [nan] [expected a positive number]",
        "draws": "num_samples is] [0] [expected 1 to 4096]",
    }
    for what, message in messages.items():
        assert refusals[what].startswith("error: ") and message in refusals[what], (what, refusals[what])
