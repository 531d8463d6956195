"""Batches of Items to whoever answers, and the answers back in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from nvp_tf.scoring.items import Item

Answers = dict[str, np.ndarray]  # of several values {output: [n, ...]}, of one of them {output: its row}
Row = tuple[str, Answers | None, str]  # name, answers, error: one of the two
Ask = Callable[[np.ndarray], Answers]


class Refused(Exception):
    """A batch that cannot be answered as it is: one of its rows is at fault, or all."""


def answer(items: Iterable[Item], ask: Ask, batch_size: int, in_flight: int = 1) -> Iterator[list[Row]]:
    """Yields lists of (name, {output: row's value} or None, error), as many as items and in their order.

    At most `in_flight` batches wait for their answer; meanwhile no further item is read.

    Args:
      ask: a function of values [n, ...] to {output: [n, ...]}, called by several threads at once.
        When it raises `Refused`, the values are asked one by one, and those at fault become errors.
      batch_size: values asked at once.
      in_flight: how many batches at once.
    """
    with ThreadPoolExecutor(max_workers=in_flight) as pool:
        waiting: deque[Future[list[Row]]] = deque()
        try:
            for batch in _batches(items, batch_size):
                if len(waiting) == in_flight:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(rows, batch, ask))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _batches(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Lists with `batch_size` values each; what has an error goes along, up to as many again."""
    batch: list[Item] = []
    values = 0
    for item in items:
        batch.append(item)
        values += not item.error
        if values == batch_size or len(batch) == 2 * batch_size:
            yield batch
            batch, values = [], 0
    if batch:
        yield batch


def rows(batch: Sequence[Item], ask: Ask) -> list[Row]:
    """The list of (name, {output: row's value} or None, error) for Items, of which one batch is made."""
    values = [item.value for item in batch if item.value is not None]
    answers = iter(_answers(values, ask) if values else ())
    return [(item.name, None, item.error) if item.value is None else (item.name, *next(answers)) for item in batch]


def _answers(values: Sequence[np.ndarray], ask: Ask) -> list[tuple[Answers | None, str]]:
    """(row, error) for each value."""
    try:
        outputs = ask(np.stack(values))
    except Refused as refused:
        if len(values) == 1:
            return [(None, str(refused))]
        return [answer for value in values for answer in _answers([value], ask)]
    return [({name: rows[i] for name, rows in outputs.items()}, "") for i in range(len(values))]
