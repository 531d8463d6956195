"""Every item is answered in its place, however batches are made; and no more is read than is waiting."""

import threading
import time

import numpy as np
import pytest

from nvp_tf.scoring import scorer
from nvp_tf.scoring.items import Item
from nvp_tf.scoring.summary import Summary


def items(n):
    """Every third has an error before it is asked for."""
    for i in range(n):
        yield Item(str(i), error="broken") if i % 3 == 2 else Item(str(i), np.array([i], np.float32))


def ask(batch):
    """Twice the value; refuses any batch with a multiple of 7, the last ones faster than the first."""
    time.sleep(float(100 - batch[0, 0]) * 1e-4)
    if (batch % 7 == 0).any():
        raise scorer.Refused("a seven")
    return {"log_prob": 2 * batch[:, 0]}


@pytest.mark.parametrize("batch_size", [1, 4, 64, 1000])
@pytest.mark.parametrize("in_flight", [1, 5])
def test_answers_in_order(batch_size, in_flight):
    rows = [row for rows in scorer.answer(items(100), ask, batch_size, in_flight) for row in rows]
    assert [name for name, _, _ in rows] == [str(i) for i in range(100)]
    for i, (_, answers, error) in enumerate(rows):
        expected = "broken" if i % 3 == 2 else "a seven" if i % 7 == 0 else ""
        assert error == expected
        assert answers == (None if expected else {"log_prob": 2 * i})


def test_no_more_is_read_than_waits():
    go, asked, read = threading.Event(), [], 0

    def counted():
        nonlocal read
        for i in range(1000):
            read += 1
            yield Item(str(i), np.zeros(1, np.float32))

    def slow(batch):
        asked.append(len(batch))
        go.wait(10)
        return {"log_prob": batch[:, 0]}

    rows = scorer.answer(counted(), slow, batch_size=10, in_flight=3)
    first = threading.Thread(target=lambda: next(rows))
    first.start()
    while len(asked) < 3:
        time.sleep(0.01)
    time.sleep(0.1)
    assert (len(asked), read) == (3, 40)  # three batches wait for their answers, the next for its turn
    go.set()
    first.join()
    rows.close()


def test_what_ask_raises_ends_it():
    def broken(batch):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(scorer.answer(items(10), broken, 2, 2))


def test_summaries_of_parts_make_the_whole():
    random = np.random.RandomState(0)
    rows = [("bad", None, "broken"), ("worse", {"log_prob": -np.inf, "bits_per_dim": np.inf, "percentile": 0.0,
                                                "typicality": 0.01}, "")]  # fmt: skip
    rows += [
        (str(i), {"log_prob": -b, "bits_per_dim": b, "percentile": p, "typicality": t}, "")
        for i, (b, p, t) in enumerate(
            zip(random.uniform(1, 3, 50), random.uniform(0, 100, 50), random.uniform(0, 1, 50), strict=True)
        )
    ]
    whole, merged = Summary(), Summary()
    whole.add(rows)
    for part in (rows[:1], rows[1:20], [], rows[20:]):
        summary = Summary()
        summary.add(part)
        merged.merge(summary)
    figures = whole.figures()
    assert merged.figures() == pytest.approx(figures) and merged.histograms() == whole.histograms()
    assert figures["scored"] == 51 and figures["errors"] == figures["impossible"] == 1
    bits = np.array([row[1]["bits_per_dim"] for row in rows[2:]])
    assert figures["mean_bits_per_dim"] == pytest.approx(bits.mean())
    edges, counts = np.array([[float(edge), count] for edge, count in whole.histograms()["bits_per_dim"].items()]).T
    np.testing.assert_array_equal(
        counts, [((bits >= edge - 1e-9) & (bits < edge + 0.05 - 1e-9)).sum() for edge in edges]
    )
    assert sum(whole.histograms()["percentile"].values()) == 51
