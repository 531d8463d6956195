"""Contenders in processes of their own are timed in turn; an export is held beside the run it was made of."""

import json

import numpy as np
import pytest
from commands import digits_run, error_line, figures, run

import nvp_tf
from nvp_tf.benchmark import engines, report
from nvp_tf.benchmark.process import Worker
from nvp_tf.benchmark.rounds import interleaved
from nvp_tf.benchmark.workloads import serving
from nvp_tf.errors import UserError
from nvp_tf.export import Reference, Signatures

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
        speeds = interleaved({"slow": slow, "fast": fast}, ["work"], rounds=3, seconds=0.1, say=lambda line: None)
        assert fast.value("work") == {"nap": 0.01}
        assert 5e6 < fast.peak_memory() < 2e8  # of Python and NumPy; pytest with TensorFlow has more
        assert 0.03 < slow.seconds_to_first < 10
    ratio = speeds.ratio("fast", "work", base="slow")
    assert 1.5 < ratio["low"] <= ratio["median"] <= ratio["high"] < 3.5
    assert 50 < speeds.per_second("fast", "work") < 100 and 500 < speeds.per_second("fast", "work", 10) < 1000


def test_a_contender_that_ends_says_why(contender):
    with pytest.raises(UserError, match="status 1: RuntimeError: no such model"):
        Worker(contender, {"nap": None})
    with Worker(contender, {"nap": 0}) as worker, pytest.raises(UserError, match="status 3: in every way"):
        worker.time("end")


def test_serving(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "PYTHON", tmp_path / "none")
    run_dir, _ = digits_run()
    flow = nvp_tf.load(run_dir)
    Signatures(flow, Reference(np.zeros(1))).save(tmp_path / "digits" / "3")
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
        "workload is 'speed', expected one of engines,": ["speed"],
        "workload serving needs --run_dir": ["serving", "--model=x"],
        "workload engines takes no --rounds": ["engines", "--rounds=3"],
        "none is not a folder": ["serving", "--run_dir=none", "--model=none"],
    }
    for says, words in refused.items():
        assert says in error_line(run("benchmark", *words)), words
