"""What a run's config leaves open is chosen when it begins, kept in its config.json, and gone on with."""

import dataclasses
import os

import pytest
from commands import digits_run

import nvp_tf
from nvp_tf import runtime
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training import choices, train

DIGITS = nvp_tf.preset("realnvp_digits")
FASTER = {"float32": 1.2, "bfloat16": 1.0}
ABLE = {"avx2", "avx512f"}
CASES = {
    "faster in bfloat16": (DIGITS, ABLE, FASTER, "bfloat16"),
    "hardly faster": (DIGITS, ABLE, {"float32": 1.05, "bfloat16": 1.0}, "float32"),
    "as asked for": (DIGITS.override(["train.network_dtype=float32"]), ABLE, None, "float32"),
    "too short to try": (DIGITS.override(["train.steps=100"]), ABLE, None, "float32"),
    "vectors": (nvp_tf.preset("realnvp_two_moons", "train.network_dtype=auto"), ABLE, None, "float32"),
    "by a processor without it": (DIGITS, {"avx2", "fma"}, None, "float32"),
    "by an unknown one": (DIGITS, set(), FASTER, "bfloat16"),
}


@pytest.mark.parametrize("name", CASES)
def test_dtype(name, monkeypatch):
    config, flags, seconds, expected = CASES[name]

    def clock(steps):
        assert seconds is not None, "nothing is to be tried"
        assert all(step().numpy() > 0 for step in steps.values()) and set(steps) == set(seconds)
        return seconds

    monkeypatch.setattr(choices, "_seconds", clock)
    monkeypatch.setattr(runtime, "cpu_flags", lambda: flags)
    found = choices.chosen(config).train
    assert (found.network_dtype, found.threads) == (expected, runtime.threads())


@pytest.mark.parametrize(
    ("preset", "keys", "expected"),
    [
        ("realnvp_digits", [], 8),
        ("realnvp_digits", ["train.batch_size=1024"], 16),
        ("realnvp_digits", ["train.threads=3"], 3),
        ("realnvp_fashion_mnist", [], 8),
        ("realnvp_cifar10", [], 16),
        ("nice_fashion_mnist", [], 16),
        ("realnvp_two_moons", [], 1),
        ("realnvp_two_moons", ["model.flow.hidden_units=256"], 16),
    ],
)
def test_threads_by_size(preset, keys, expected, monkeypatch):
    set_to = []
    monkeypatch.setattr(runtime, "cores", lambda: 16)
    monkeypatch.setattr(runtime, "set_threads", set_to.append)
    choices.set_threads(nvp_tf.preset(preset, *keys))
    assert set_to == [expected]


def test_a_run_keeps_what_it_chose():
    """Of a small Real NVP half of the cores, by the command, which no other process has asked before."""
    kept = RunDir(digits_run()[0]).config
    expected = max(1, len(os.sched_getaffinity(0)) // 2)
    assert (kept.train.network_dtype, kept.train.threads) == ("float32", expected)
    asked = nvp_tf.preset("realnvp_digits").settled_by(kept).train
    assert (asked.network_dtype, asked.threads) == ("float32", expected)
    other = dataclasses.replace(kept.train, network_dtype="bfloat16")
    assert dataclasses.replace(kept, train=other).settled_by(kept).train == other


def test_other_threads_are_told(capsys):
    run = RunDir(digits_run()[0])
    same = train._settled(run.config, run)
    told = capsys.readouterr().err
    expected = "to rounding, not to the bit" if same.train.threads != runtime.threads() else ""
    assert same == run.config and expected in told and bool(told) == bool(expected)
