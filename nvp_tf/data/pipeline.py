"""Batches. Training batch k is a function of (split, batch size, seed, k) and of nothing else.

So a run resumed at step k sees, bit for bit, what an uninterrupted run sees: there is no state to save.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from nvp_tf.data.random_integers import random_integers
from nvp_tf.data.split import Split
from nvp_tf.errors import UserError

_SHUFFLE = (16, 17, 18)  # Streams of random_integers, one a word of an epoch's key.
_NOISE = 19
_AHEAD = 2  # Batches prepared before they are asked for.
_as_it_is = tf.autograph.experimental.do_not_convert  # nothing needs it, and it takes longer than all the rest


def training_batches(split: Split, batch_size: int, seed: int, start_step: int = 0) -> tf.data.Dataset:
    """An infinite dataset of training batches, from step `start_step` on.

    Each epoch is a permutation of the split; a batch may end one epoch and begin the next.

    Args:
      batch_size: examples a batch, from 1 to split.size.
      seed: of order, augmentation and noise.
      start_step: the number of the first batch, from 0.

    Returns:
      {"x": [batch_size, *event_shape]} and, when x is uint8, also "noise": float32 of the same shape, uniform on
      [0, 1).

    Raises:
      UserError: a batch size out of range.
    """
    steps = tf.data.Dataset.counter(start=start_step)
    batches = _batches(split, batch_size, seed, steps, 1, range(batch_size))
    firsts = _as_it_is(lambda batch: {name: value[:, 0] for name, value in batch.items()})
    return _ends_at_once(batches.map(firsts).prefetch(_AHEAD))


def training_calls(
    split: Split,
    batch_size: int,
    seed: int,
    starts: Sequence[int],
    steps: int,
    pipeline: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Training batches of several steps at a time, each as `training_batches` gives it; each replica gets its rows.

    Only these are read: a process of many does not read what the others train on.

    Args:
      split, batch_size, seed: as there.
      starts: the number of the first batch of each element; after the last it begins again.
      steps: batches of an element.
      pipeline: of this process; None where there is one replica.

    Returns:
      {"x": [rows, steps, *event_shape]} and, when x is uint8, "noise": an element for each replica of the process in
      turn.
    """
    first_steps = tf.data.Dataset.from_tensor_slices(tf.constant(starts, tf.int64)).repeat()
    pipeline = pipeline or tf.distribute.InputContext()
    all_rows = np.array_split(range(batch_size), pipeline.num_replicas_in_sync)
    mine = np.array_split(range(pipeline.num_replicas_in_sync), pipeline.num_input_pipelines)[
        pipeline.input_pipeline_id
    ]
    parts = [_batches(split, batch_size, seed, first_steps, steps, all_rows[replica]) for replica in mine]
    if len(parts) == 1:
        return _ends_at_once(parts[0].prefetch(_AHEAD))
    turns = tf.data.Dataset.range(len(parts)).repeat()
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return _ends_at_once(
        tf.data.Dataset.choose_from_datasets(parts, turns).apply(endless).prefetch(_AHEAD * len(parts))
    )


def _batches(
    split: Split, batch_size: int, seed: int, starts: tf.data.Dataset, steps: int, rows: np.ndarray | range
) -> tf.data.Dataset:
    """Of each batch these consecutive rows."""
    check_batch_size(split, batch_size)
    first, count = int(rows[0]), len(rows)

    @_as_it_is
    def batches(start: tf.Tensor) -> dict[str, tf.Tensor]:
        step = start + tf.range(steps, dtype=tf.int64)
        number = tf.reshape(step * batch_size + tf.range(first, first + count, dtype=tf.int64)[:, None], [-1])
        x = split.read(_shuffled(number, split.size, seed), _pairs(seed, number))
        shape = [count, steps, *x.shape[1:]]
        if x.dtype != tf.uint8:
            return {"x": tf.reshape(x, shape)}
        noise = [_noise(seed, start + i, first, count, x.shape[1:]) for i in range(steps)]
        return {"x": tf.reshape(x, shape), "noise": tf.stack(noise, axis=1)}

    return starts.map(batches, num_parallel_calls=_AHEAD, deterministic=True)


def _noise(seed: int, step: tf.Tensor, first: int, count: int, shape: tf.TensorShape) -> tf.Tensor:
    """Rows of tf.random.stateless_uniform([batch_size, *shape]): those before are not made, but counted.

    Philox makes four numbers of each value of its counter.
    """
    skipped, size = first * shape.num_elements(), count * shape.num_elements()
    pair = tf.random.fold_in(tf.stack([tf.constant(seed, tf.int64), step]), _NOISE)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=pair)
    counter += tf.constant([skipped // 4, 0], tf.uint64)
    philox = tf.constant(tf.random.Algorithm.PHILOX.value)
    noise = tf.raw_ops.StatelessRandomUniformV2(shape=[skipped % 4 + size], key=key, counter=counter, alg=philox)
    return tf.reshape(noise[skipped % 4 :], [count, *shape])


def check_batch_size(split: Split, batch_size: int) -> None:
    """Raises UserError unless `split` has a training batch of that size."""
    if not 1 <= batch_size <= split.size:
        raise UserError(f"batch_size is {batch_size}, expected 1 to {split.size}, the number of training examples")


def evaluation_batches(
    split: Split, batch_size: int, limit: int | None = None, share: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """A dataset of x: [b, *event_shape], each example once and in order; the last batch may be smaller.

    Example i is read with the seed (0, i), so that random crops, too, are the same each time.

    Args:
      batch_size: examples a batch, at least 1.
      limit: only the first so many examples; None for all.
      share: (k, n) for batches k, k + n, k + 2n and so on alone.

    Raises:
      UserError: a batch size or a limit below 1.
    """
    for name, value in (("batch_size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise UserError(f"{name} is {value}, expected at least 1")
    size = split.size if limit is None else min(limit, split.size)
    numbers = tf.data.Dataset.range(size).batch(batch_size).shard(share[1], share[0])
    read = _as_it_is(lambda i: split.read(i, _pairs(0, i)))
    return _ends_at_once(numbers.map(read, num_parallel_calls=_AHEAD).prefetch(_AHEAD))


def _ends_at_once(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Without the thread that tunes pipelines, which has nothing to tune here: now and then when an iterator goes,
    TensorFlow waits for it to wake up, up to a minute once a run is long."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _shuffled(number: tf.Tensor, size: int, seed: int) -> tf.Tensor:
    """The index, int64 [n] in [0, size), of each training example by its number from the run's start.

    The raw op takes a key a row, the public tf.random.experimental.index_shuffle one for all; it also
    fixes 4 rounds, after which 58000 indices are still visibly in order (a batch of 64 has a third
    of the variance that it should have; with 8 rounds all of it). And the op uses only the low 8 bits
    of a key's words up to size 65536, so that a bare epoch number repeats after 256: hence the hash.
    """
    epoch = _pairs(seed, number // size)
    key = tf.stack([random_integers(epoch, stream, 2**31) for stream in _SHUFFLE], axis=1)
    last = tf.constant(size - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=number % size, seed=key, max_index=last, rounds=8)


def _pairs(seed: int, number: tf.Tensor) -> tf.Tensor:
    """int64 [n, 2] seeds: (seed, number) for each number."""
    return tf.stack([tf.fill(tf.shape(number), tf.constant(seed, tf.int64)), number], axis=1)
