"""What a checkpoint is held against before a run goes on from it: names, shapes, and what its progress has."""

import contextlib
import hashlib
import io
import json

import keras
import numpy as np
import pytest

from nvp_tf.config.presets.registry import get_preset
from nvp_tf.errors import UserError
from nvp_tf.runs.checkpoints import Checkpoints, Progress
from nvp_tf.training.state import TrainingState


def variables(*paths):
    """Of one shape, which alone would not tell them apart."""
    made = []
    for number, path in enumerate(paths):
        *scopes, name = path.split("/")
        with contextlib.ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(keras.name_scope(scope))
            made.append(keras.Variable(np.full(3, number + 1.0, np.float32), name=name))
    assert [variable.path for variable in made] == list(paths)
    return made


OURS = ("bijector/coupling_0/dense_3/kernel", "adam/dense_3_kernel_momentum")
LATER = ("bijector/coupling_0/dense_27/kernel", "adam_1/dense_27_kernel_momentum")  # in a process that made more
OTHERS = (OURS[::-1], (OURS[0], "adam/dense_3_kernel_velocity"), ("bijector/coupling_0/dense_3/bias", OURS[1]))


@pytest.fixture
def saved(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(variables(*OURS), Progress(step=7, loss=0.5))
    return checkpoints


def rewritten(checkpoints, change):
    """The newest checkpoint with another JSON, and whole."""
    file = checkpoints.folder / checkpoints.list()[-1].name
    with np.load(file) as arrays:
        kept = dict(arrays)
    progress = json.loads(kept.pop("progress").tobytes())
    change(progress)
    written = io.BytesIO()
    np.savez(written, progress=np.frombuffer(json.dumps(progress).encode(), np.uint8), **kept)
    file.write_bytes(written.getvalue() + hashlib.sha256(written.getvalue()).digest())


def restored(checkpoints, paths):
    found = variables(*paths)
    for variable in found:
        variable.assign(np.zeros(3, np.float32))
    assert checkpoints.load(found) == Progress(step=7, loss=0.5)
    return [variable.numpy().tolist() for variable in found]


@pytest.mark.parametrize("paths", [OURS, LATER])
def test_variables_are_known_by_name(saved, paths):
    assert restored(saved, paths) == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize("paths", OTHERS)
def test_others_of_the_same_shapes_are_refused(saved, paths):
    found = variables(*paths)
    with pytest.raises(UserError, match="is of another model: choose another run_dir"):
        saved.load(found)
    assert found[0].numpy().tolist() == [1.0] * 3  # as it was


@pytest.mark.parametrize("paths", [OURS, OTHERS[0]])
def test_a_checkpoint_from_before_there_were_names(saved, paths):
    rewritten(saved, lambda progress: progress.pop("names"))
    assert restored(saved, paths) == [[1.0] * 3, [2.0] * 3]


def test_progress_of_another_version(saved):
    rewritten(saved, lambda progress: progress.pop("untrained"))  # of an earlier one: there is a default
    assert restored(saved, OURS)
    rewritten(saved, lambda progress: progress.update(speed=1, altitude=2))
    message = r"npz is of another version of nvp_tf, with altitude, speed in its progress: choose another run_dir"
    with pytest.raises(UserError, match=message):
        saved.load(variables(*OURS))


def test_a_state_made_anew_in_the_same_process(tmp_path):
    """Real variables: Keras gives the second ones other paths."""
    config = get_preset("realnvp_two_moons").config.override(["model.flow.couplings=2", "train.ema_decay=0.5"])
    one, other = TrainingState(config).everything, TrainingState(config).everything
    assert [v.path for v in one] != [v.path for v in other]
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(one, Progress())
    assert checkpoints.load(other) == Progress()
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    with pytest.raises(UserError, match="is of another model"):
        checkpoints.load([*one[:-2], one[-1], one[-2]])  # a momentum and a velocity
