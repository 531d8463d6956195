"""A density as a SavedModel, asked by a stranger and by the command that scores."""

import json

import numpy as np
import pytest
import tensorflow as tf
from held_out import reference
from test_vae_density import made

from nvp_tf.densities import exporting
from nvp_tf.densities.contract import Domain
from nvp_tf.errors import UserError
from nvp_tf.exporting import client
from nvp_tf.scoring.contract import asked
from nvp_tf.scoring.saved_model import SavedModel


def images(n) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (n, 2, 2, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(the density, its folder, what export said)."""
    density = made("gaussian", "convolutional", draws=7)
    folder = tmp_path_factory.mktemp("export") / "vae"
    known = reference(density.domain, images(50), density.log_mass(images(50)).value)
    return density, folder, exporting.export(density, folder, images(20), known, {"of": "it"})


def test_it_answers_as_the_density(exported):
    density, folder, told = exported
    model = SavedModel(folder)
    scores = model.score(images(9))
    np.testing.assert_allclose(scores["log_prob"], density.log_mass(images(9)).value, atol=1e-4)
    np.testing.assert_allclose(scores["bits_per_dim"], -scores["log_prob"] / (4 * np.log(2)), rtol=1e-5)
    np.testing.assert_allclose(model.encode(images(9))["latents"], density.encode(images(9)), atol=1e-5)
    assert told["version"] == 1 and json.loads((folder / "1" / "export.json").read_text())["of"] == "it"
    assert told["kind"] == "bound" and "decode" not in told["signatures"]
    assert set(told["largest_differences"]) >= {
        "log_prob",
        "log_prob_by_one",
        "latents",
        "sample",
        "log_prob_with_noise",
    }


def test_signatures(exported):
    density, folder, _ = exported
    signatures = tf.saved_model.load(str(folder / "1")).signatures
    many = signatures["log_prob_with_noise"](
        images=tf.constant(images(5)), seed=tf.constant(3, tf.int64), num_samples=tf.constant(400)
    )
    close = density.log_mass(images(5), draws=2000)
    error = np.hypot(many["standard_error"], close.error)
    assert np.all(np.abs(many["log_prob"] - close.value) < 5 * error) and (error < 0.5).all()
    draw = signatures["sample"]
    drawn = draw(num_samples=tf.constant(30), seed=tf.constant(1, tf.int64))["images"]
    np.testing.assert_array_equal(drawn, density.sample(30, seed=1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected 0 to"):
        draw(num_samples=tf.constant(-1), seed=tf.constant(1, tf.int64))
    impossible = signatures["score"](images=tf.fill([1, 2, 2, 1], tf.constant(9, tf.uint8)))
    assert impossible["log_prob"].numpy().tolist() == [-np.inf]


def asked_here(density, x, folder):
    """(signatures, answers) of a SavedModel that this process is a stranger to: one TensorFlow less to start."""
    functions = exporting.Signatures(density, reference(density.domain, x, density.scores(x).value))
    functions.save(folder / "model")
    np.save(folder / "x.npy", x)
    asks = asked(exporting.questions(functions.names), density.domain)
    (folder / "questions.json").write_text(json.dumps(asks))
    client.main(str(folder / "model"), folder / "x.npy", folder / "answers.npz", folder / "questions.json")
    return functions, dict(np.load(folder / "answers.npz"))


def test_of_vectors(tmp_path):
    density = made("gaussian", "dense", Domain((3,), None, (1.0,) * 3, (0.5, 2.0, 1.0)))
    x = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
    functions, answers = asked_here(density, x, tmp_path)
    told = exporting.compare(density, functions, answers, x)
    assert told["checked_examples"] == 12 and "bits_per_dim" not in "".join(answers)
    # What differs is refused, whatever it is.
    for name in ("log_prob/log_prob", "score/percentile", "encode/latents", "sample/x", "by_one/log_prob"):
        with pytest.raises(UserError, match="differs by"):
            exporting.compare(density, functions, answers | {name: answers[name] + 0.1}, x)
    with pytest.raises(UserError, match="expected new samples"):
        exporting.compare(density, functions, answers | {"fresh/x": answers["sample/x"]}, x)
