"""What a person who waits is told: in a log, lines of how fast, how large, and until when."""

import re
import time

import pytest
import tensorflow as tf

from nvp_tf.training import narration
from nvp_tf.training.narration import Narration, until
from nvp_tf.training.utilization import Utilization


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (4.4, r"4 s left"),
        (89, r"89 s left"),
        (600, r"10 min left, until \d\d:\d\d"),
        (5500, r"1.5 h left, until \d\d:\d\d"),
        (100_000, r"27.8 h left, until [A-Z]\w+ \d\d:\d\d"),
    ],
)
def test_until(seconds, said):
    assert re.fullmatch(said, until(seconds))


def test_lines_of_a_log(capfd, monkeypatch):
    monkeypatch.setattr(narration, "FIRST", 0.0)
    with Narration(1000, 50, 100, 0, True, "{:.1f} nats".format) as told:
        told.steps(1, [9.0], 60.0)  # the first call, which traces, is not of the pace
        told.utilization = lambda seconds: 0.125 / seconds
        for step in range(2, 101):
            told.steps(step, [3.0], 0.25)
        told.evaluation(100, 3.0, 2.5, True, 100.0)
    first, second = capfd.readouterr().err.splitlines()
    assert re.fullmatch(
        r"step 2 of 1,000: train 6.0 nats; 200 examples/s, 50% of the peak, \d\.\d GB, 4 min left, until .*", first
    )
    # 900 steps of 0.25 s and 9 evaluations of 100 s.
    expected = r"step 100 of 1,000: train 3.0 nats, validation 2.5 nats \(best\); 200 .*, 19 min left, until .*"
    assert re.fullmatch(expected, second)


def test_evaluations_alone(capfd, monkeypatch):
    monkeypatch.setattr(narration, "FIRST", 0.0)
    with Narration(10, 50, 5, 0, False, "{:.1f} nats".format) as told:
        for step in range(1, 6):
            told.steps(step, [3.0], 0.25)
        told.evaluation(5, 3.0, 2.5, False, 1.0)
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("step 5 of 10: train 3.0 nats, validation 2.5 nats; ")


def test_of_the_peak():
    """A product of two matrices takes about as long as the peak says."""
    x = tf.random.stateless_normal((2048, 2048), [0, 0])
    graph = tf.function(lambda x: x @ x).get_concrete_function(x)
    utilization = Utilization(graph.graph, "float32")
    best = utilization.operations / utilization.peak
    assert utilization(best) == 1 and utilization(4 * best) == 0.25
    graph(x)
    began = time.perf_counter()
    graph(x).numpy()
    assert 0 < utilization(time.perf_counter() - began) < 3
