"""Batches of Items to whoever answers, and the answers back in order."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np


class Refused(Exception):
    """A batch that cannot be answered as it is: one of its rows is at fault, or all."""


def answer(items, ask, batch_size, in_flight=1):
    """Yields lists of (name, {output: row's value} or None, error), as many as items and in their order.

    At most `in_flight` batches wait for their answer; meanwhile no further item is read.

    Args:
      items: of `Item`.
      ask: a function of values [n, ...] to {output: [n, ...]}, called by several threads at once.
        When it raises `Refused`, the values are asked one by one, and those at fault become errors.
      batch_size: values asked at once.
      in_flight: how many batches at once.
    """
    with ThreadPoolExecutor(max_workers=in_flight) as pool:
        waiting = deque()
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


def _batches(items, batch_size):
    """Lists with `batch_size` values each; what has an error goes along, up to as many again."""
    batch, values = [], 0
    for item in items:
        batch.append(item)
        values += not item.error
        if values == batch_size or len(batch) == 2 * batch_size:
            yield batch
            batch, values = [], 0
    if batch:
        yield batch


def rows(batch, ask):
    """The list of (name, {output: row's value} or None, error) for a list of Items, of which one batch is made."""
    good = [item for item in batch if not item.error]
    answers = iter(_answers(good, ask) if good else ())
    return [(item.name, None, item.error) if item.error else (item.name, *next(answers)) for item in batch]


def _answers(items, ask):
    """(row, error) for each item."""
    try:
        outputs = ask(np.stack([item.value for item in items]))
    except Refused as refused:
        if len(items) == 1:
            return [(None, str(refused))]
        return [answer for item in items for answer in _answers([item], ask)]
    return [({name: values[i] for name, values in outputs.items()}, "") for i in range(len(items))]
