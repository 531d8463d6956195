"""Every family as a SavedModel: what it answers is what the density answers."""

import json

import numpy as np
import pytest
from density_cases import ALL, some
from held_out import reference

from nvp_tf.densities import exporting, registry
from nvp_tf.exporting import client
from nvp_tf.scoring.contract import asked


@pytest.mark.parametrize("family", registry.names())
def test_answers(family, tmp_path):
    """The stranger's questions, asked in this process: `test_exporting.py` asks one in its own.

    Of each family its first case, of images where it has them: to save and load one takes seconds.
    """
    density = next(case.shared for case in ALL.values() if case.shared.family == family)
    x = some(density.domain, 5).astype(density.domain.dtype)
    functions = exporting.Signatures(density, reference(density.domain, x, density.scores(x).value))
    functions.save(tmp_path / "model")
    np.save(tmp_path / "x.npy", x)
    asks = asked(exporting.questions(functions.names), density.domain)
    (tmp_path / "questions.json").write_text(json.dumps(asks))
    client.main(str(tmp_path / "model"), tmp_path / "x.npy", tmp_path / "answers.npz", tmp_path / "questions.json")
    told = exporting.compare(density, functions, dict(np.load(tmp_path / "answers.npz")), x)
    assert {"log_prob", "log_prob_by_one", "percentile", "foreign"} <= set(told["bounds"])
    assert ("latents" in told["bounds"]) == (density.latent_size is not None)
    assert ("log_prob_with_noise" in told["bounds"]) == bool(density.draws)
