"""Contenders in processes of their own are timed in turn; an export is held beside the run it was made of."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from commands import digits_run, error_line, figures, run
from held_out import reference
from sgd import sgd_config

import nvp_tf
from benchmarks import engines, everything, machine, peers, report
from benchmarks.against import Target
from benchmarks.contenders import model
from benchmarks.model_speed import ModelSpeed
from benchmarks.peers import Peer
from benchmarks.process import Worker
from benchmarks.rounds import interleaved
from benchmarks.workloads import serving, workers
from nvp_tf.config.presets.registry import get_preset
from nvp_tf.errors import UserError
from nvp_tf.exporting.export import Signatures
from nvp_tf.training import flop

CONTENDER = """
import os, time

def load(nap):
    print("libraries print", flush=True)
    os.system("echo in every way")
    if nap is None:
        raise RuntimeError("no such model")
    def work():
        time.sleep(nap)
        return {"nap": nap}
    return {"work": work, "end": lambda: os._exit(3)}
"""


@pytest.fixture(scope="module")
def contender(tmp_path_factory):
    file = tmp_path_factory.mktemp("contenders") / "sleeper.py"
    file.write_text(CONTENDER)
    return str(file.with_suffix(""))


def test_ratios_of_contenders_in_turn(contender):
    with Worker(contender, {"nap": 0.03}) as slow, Worker(contender, {"nap": 0.01}) as fast:
        jobs = [("slow", "work"), ("fast", "work")]
        speeds = interleaved({"slow": slow, "fast": fast}, jobs, rounds=3, seconds=0.1, say=lambda line: None)
        assert fast.value("work") == {"nap": 0.01}
        assert 5e6 < fast.peak_memory() < 2e8  # of Python and NumPy; pytest with TensorFlow has more
        assert slow.seconds_to_first > 0.03
    # However slow the machine is, nobody sleeps for less than was asked.
    ratio, twice = (speeds.ratio(jobs[1], jobs[0], work) for work in (1, 2))
    assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]
    assert twice["median"] == pytest.approx(2 * ratio["median"])
    assert speeds.per_second(jobs[1]) < 100 and speeds.per_second(jobs[1], 10) < 1000


def test_a_contender_that_ends_says_why(contender):
    with pytest.raises(UserError, match="status 1: RuntimeError: no such model"):
        Worker(contender, {"nap": None})
    with Worker(contender, {"nap": 0}) as worker, pytest.raises(UserError, match="status 3: in every way"):
        worker.time("end")


@pytest.mark.slow
def test_serving(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "PYTHON", tmp_path / "none")
    run_dir, _ = digits_run()
    flow = nvp_tf.load(run_dir)
    known = reference(flow.event, np.zeros((2, 8, 8, 1), np.uint8))
    Signatures(flow, known).save(tmp_path / "digits" / "3")
    result = serving.run(run_dir, tmp_path / "digits", rounds=2, seconds=0.0, starts=1, say=lambda line: None)
    json.dumps(result)
    saved = result["contenders"]["SavedModel"]
    assert set(result["contenders"]) == {"live model", "SavedModel"}
    assert result["absent"]["OpenVINO"] == "needs `bin/setup engines`"
    assert saved["largest_difference"] < 1e-3
    assert saved["ratio"][256]["low"] > 0.2 and saved["examples_per_second"][256] > saved["examples_per_second"][1]
    assert 1e8 < saved["peak_memory_bytes"] < 4e9 and 0 <= result["others"] <= 1
    page = tmp_path / "performance.md"
    for _ in range(2):  # the second in the place of the first
        report.replace_section(page, serving.section(result), serving.markdown(result))
    [row] = [line for line in page.read_text().splitlines() if line.startswith("| SavedModel |")]
    assert f"| {saved['ratio'][256]['median']:.2f}x (" in row
    assert "TensorFlow" not in row and result["machine"]["versions"]["tensorflow"] in page.read_text()


def test_operations_are_counted():
    def work(x, images, dense, kernel):
        with tf.GradientTape() as tape:
            tape.watch([dense, kernel])
            maps = tf.nn.conv2d(images, kernel, strides=2, padding="SAME")
            total = tf.reduce_sum(tf.nn.relu(x @ dense)) + tf.reduce_sum(maps**2)
        return tape.gradient(total, [dense, kernel])

    shapes = (5, 3), (2, 8, 6, 4), (3, 7), (3, 3, 4, 9)
    specs = [tf.TensorSpec(shape) for shape in shapes]
    inner = tf.function(work)
    graph = tf.function(lambda *arguments: inner(*arguments), specs).get_concrete_function().graph
    # Each once forward, and once for the gradient of its weights alone.
    assert flop.count(graph) == {"matrix": 2 * (2 * 5 * 3 * 7), "convolution": 2 * (2 * (3 * 3 * 4) * (2 * 4 * 3 * 9))}


@pytest.mark.parametrize("preset", [pytest.param("realnvp_digits", marks=pytest.mark.slow), "realnvp_two_moons"])
def test_a_step_of_training_takes_three_times_the_operations(preset):
    config = get_preset(preset).config
    small = {
        "realnvp_digits": ["scales=1", "filters=4", "blocks=0", "couplings=1"],
        "realnvp_two_moons": ["couplings=2"],
    }[preset]
    config = config.override([f"model.flow.{key}" for key in small])
    answers = model.load(config.to_json(), batch=6, train=False)
    training = model.load(config.to_json(), batch=6, train=True)
    assert [len(answers[name]()["answer"]) for name in ("log_prob", "encode", "sample")] == [6, 6, 6]
    [flop] = {tuple(answers[f"flop of {name}"]()["flop"]) for name in ("log_prob", "encode", "sample")}
    trained, again = training["train"](), training["train"]()
    of_a_step = sum(training["flop of train"]()["flop"]) / trained["steps"]
    assert 2.5 * sum(flop) < of_a_step <= 3 * sum(flop)
    assert len(trained["answer"]) == trained["steps"] and (trained["answer"] != again["answer"]).all()


def test_all_goes_on_where_it_stopped(tmp_path, monkeypatch):
    given, seen, told, room = {"folder": str(tmp_path), "run_dir": "a run", "model": "an export"}, [], [], 3

    def measured(name, options):
        if len(seen) == room:
            raise KeyboardInterrupt
        seen.append(" ".join([name, *([options["against"]] if "against" in options else [])]))
        return {"workload": name}

    monkeypatch.setattr(machine, "code", lambda: "abc")
    for others in (peers, engines):
        monkeypatch.setattr(others, "PYTHON", tmp_path)  # is there
    with pytest.raises(KeyboardInterrupt):
        everything.run(given, measured, told.append)
    room = None
    results = everything.run(given, measured, told.append)
    assert seen == list(everything.MINUTES) and set(results) == set(seen)
    assert {"digits", "digits torch", "serving"} < set(seen)
    assert [line for line in told if line.startswith(f"{len(seen) - 3} of {len(seen)} tables, some")]
    for others in (peers, engines):
        with monkeypatch.context() as without:
            without.setattr(others, "PYTHON", tmp_path / "python")
            with pytest.raises(UserError, match=f"no {tmp_path}/python, which some .* need: `{others.SETUP}` makes it"):
                everything.run(given, measured, told.append)
    monkeypatch.setattr(machine, "code", lambda: "abc+")
    with pytest.raises(UserError, match=r"commit is abc\+, expected one without changes"):
        everything.run(given, measured, told.append)


PEER = """
import time

def load(batch, points, steps, slow, **_):
    def function(examples):
        def call():
            if slow is None:
                raise RuntimeError("too old")
            time.sleep(slow * examples)
            return {"answer": 0, "parameters": 7}
        return call
    return {"train": function(steps * batch), "log_prob": function(points), "sample": function(points)}
"""


@pytest.mark.slow
def test_a_model_beside_its_peers(tmp_path, monkeypatch):
    (tmp_path / "peer.py").write_text(PEER)
    speeds = {"slow": 0.02, "fast": 0.01, "old": None, "foreign": 0.001}  # seconds an example
    found = [
        Peer(name, "others" if name == "foreign" else "group", str(tmp_path / "peer"), {"slow": slow}, sys.executable)
        for name, slow in speeds.items()
    ]
    monkeypatch.setattr(peers, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(peers, "of", lambda config: found)
    config = get_preset("realnvp_two_moons").config.override(["model.flow.couplings=2", "train.steps=3"])
    workload = ModelSpeed("points", config, [4], points=20, targets=[Target("train", "group", 1.5)])
    result = workload.run(rounds=2, seconds=0.1, against="torch", say=lambda line: None)
    json.dumps(result)
    [table] = result["tables"]
    assert list(table["contenders"]) == ["ours", "slow", "fast", "foreign"] and table["steps"] == 3
    assert "RuntimeError: too old" in table["absent"]["old"]
    slow, fast = (table["contenders"][name]["functions"]["sample"] for name in ("slow", "fast"))
    assert 0 < slow["examples_per_second"] <= 50 and 0 < fast["examples_per_second"] <= 100  # no faster than asked
    target, sampling = result["checks"]
    assert target["what"] == "train, float32, batch 4, times fast, the fastest of group" and target["holds"] == (
        target["value"] >= 1.5
    )
    assert sampling["value"] == table["sampling"]["median"]
    page = workload.markdown(result)
    assert "| float32 | 4 | slow | 7 |" in page and "A call of training has 3 steps of 4 examples; 20 are" in page


@pytest.mark.slow
def test_a_model_beside_the_peak_of_the_machine(tmp_path):
    page = tmp_path / "performance.md"
    result = figures("benchmark", "two_moons", "--rounds=2", "--seconds=0.1", f"--markdown={page}")
    functions = result["functions"]["256"]
    assert list(functions) == ["train", "log_prob", "encode", "sample"]
    assert all(0 < functions[name]["of_peak"]["median"] < 2 for name in functions)
    assert page.read_text().count("| matrix float32 |") == 4


def test_workers_beside_processes_alone(monkeypatch):
    """Its processes, real ones, step together and alone; what was counted is what was sent."""
    small = SimpleNamespace(config=sgd_config(clip_norm=1e6))
    monkeypatch.setattr(workers, "PRESETS", ["small"])
    monkeypatch.setattr(workers, "get_preset", {"small": small}.get)
    result = workers.run(rounds=1, say=lambda line: None)
    found = result["presets"]["small"]
    assert found["exchanges"] > 4 and 0 < found["statistics_bytes"] < found["gradient_bytes"] < found["sent_bytes"]
    assert 0 < result["small_seconds"]["median"] < result["large_seconds"]["median"]
    assert "| `small` | 7 |" in workers.markdown(result)


def test_a_section_is_written_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nWords.\n")
    report.replace_section(page, "a", "old a")
    report.replace_section(page, "b", "old b")
    page.write_text(page.read_text() + "\nMore words.\n")
    report.replace_section(page, "a", "new \\1 a")
    parts = ["# Title", "Words.", "new \\1 a", "old b", "More words."]
    assert [line for line in page.read_text().splitlines() if line and not line.startswith("<!--")] == parts
    page.write_text(page.read_text().replace("<!-- end of b -->", ""))
    with pytest.raises(UserError, match="expected both or neither"):
        report.replace_section(page, "b", "new b")


def test_the_command():
    assert {"serving", "engines"} <= set(figures("benchmark", "--list")["workloads"])
    refused = {
        "expected a workload's name": [],
        "workload is 'speed', expected one of curvature, densities, digits,": ["speed"],
        "workload serving needs --run_dir": ["serving", "--model=x"],
        "workload serving takes no --against": ["serving", "--against=torch"],
        "workload engines takes no --rounds": ["engines", "--rounds=3"],
        "none is not a folder": ["serving", "--run_dir=none", "--model=none"],
    }
    for says, words in refused.items():
        assert says in error_line(run("benchmark", *words)), words
