import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.data.pipeline import evaluation_batches, training_batches, training_calls
from nvp_tf.data.split import ArraySplit, Flipped
from nvp_tf.errors import UserError

N = 17


def numbered(n=N):
    """Images that carry their own index and differ from their mirror image."""
    images = np.zeros((n, 2, 2, 1), np.uint8)
    images[:, :, 0, 0] = np.arange(n)[:, None]
    images[:, :, 1, 0] = 200
    return ArraySplit(images)


def first(split, batches, batch_size=5, seed=3, start_step=0):
    dataset = training_batches(split, batch_size, seed, start_step)
    return [{k: v.numpy() for k, v in batch.items()} for batch in dataset.take(batches)]


def order(split, batches, **kwargs):
    return np.concatenate([batch["x"].min(axis=(1, 2, 3)) for batch in first(split, batches, **kwargs)])


def test_each_epoch_is_another_permutation():
    epochs = order(numbered(), N).reshape(5, N)  # 17 batches of 5 are 5 epochs of 17.
    assert (np.sort(epochs) == np.arange(N)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_orders_do_not_repeat_with_the_low_bits_of_epoch_or_seed():
    split = numbered()
    start = order(split, 4, batch_size=N)
    assert (start != order(split, 4, batch_size=N, start_step=256)).any()
    assert (start != order(split, 4, batch_size=N, seed=3 + 256)).any()


def test_large_splits_are_well_shuffled():
    size, batch_size = 58000, 58
    split = ArraySplit(np.linspace(-1, 1, size, dtype=np.float32)[:, None] * 3**0.5)  # Variance 1.
    means = [batch["x"].mean() for batch in first(split, 1000, batch_size)]
    assert np.var(means) * batch_size == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("step", [1, 3, 4, 7])  # 3: the batch that crosses the first epoch's end.
def test_resumed_batches_are_bitwise_those_of_an_uninterrupted_run(step):
    split = Flipped(numbered())
    for whole, resumed in zip(first(split, step + 6)[step:], first(split, 6, start_step=step), strict=True):
        assert (whole["x"] == resumed["x"]).all()
        assert whole["noise"].tobytes() == resumed["noise"].tobytes()


def test_noise_is_uniform_below_one_and_new_each_step():
    noise = np.stack([batch["noise"] for batch in first(numbered(200), 50, batch_size=200)])
    assert noise.dtype == np.float32
    assert noise.min() >= 0 and noise.max() < 1
    assert np.quantile(noise, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    assert len(np.unique(noise[:, 0, 0, 0, 0])) == 50


def test_another_seed_gives_other_order_and_noise():
    one, other = first(numbered(), 1, seed=0)[0], first(numbered(), 1, seed=1)[0]
    assert (one["x"] != other["x"]).any() and (one["noise"] != other["noise"]).all()


def test_vectors_have_no_noise_and_static_shapes_are_whole():
    vectors = training_batches(ArraySplit(np.zeros((N, 2), np.float32)), 4, 0)
    assert vectors.element_spec == {"x": tf.TensorSpec([4, 2], tf.float32)}
    images = training_batches(numbered(), 4, 0).element_spec
    assert images["x"] == tf.TensorSpec([4, 2, 2, 1], tf.uint8)
    assert images["noise"].dtype == tf.float32


@pytest.mark.parametrize(("processes", "replicas", "sizes"), [(2, 2, [4, 3]), (2, 4, [2, 2, 2, 1]), (1, 2, [4, 3])])
def test_replicas_share_the_same_batches(processes, replicas, sizes):
    """To the bit, each its rows."""
    split = Flipped(numbered())
    whole = first(split, 4, batch_size=sum(sizes), start_step=4)
    shared = [[], []]  # steps 4 and 5, then 6 and 7: the parts of each replica
    for process in range(processes):
        pipeline = tf.distribute.InputContext(processes, process, replicas)
        parts = iter(training_calls(split, sum(sizes), 3, [4, 6], 2, pipeline))
        for call in shared:
            call += [next(parts) for _ in range(replicas // processes)]
    assert [[len(part["x"]) for part in call] for call in shared] == [sizes, sizes]
    for number, batch in enumerate(whole):
        for name, value in batch.items():
            rows = [part[name][:, number % 2] for part in shared[number // 2]]
            assert np.concatenate(rows).tobytes() == value.tobytes()


def test_evaluation_is_shared_by_batches():
    shares = [[x.numpy() for x in evaluation_batches(numbered(), 5, share=(k, 3))] for k in range(3)]
    whole = [x.numpy() for x in evaluation_batches(numbered(), 5)]
    assert [len(share) for share in shares] == [2, 1, 1]
    for number, batch in enumerate(whole):
        np.testing.assert_array_equal(shares[number % 3][number // 3], batch)


@pytest.mark.parametrize(("limit", "sizes"), [(None, [5, 5, 5, 2]), (7, [5, 2]), (99, [5, 5, 5, 2])])
def test_evaluation_covers_each_example_once_in_order(limit, sizes):
    batches = [x.numpy() for x in evaluation_batches(numbered(), 5, limit)]
    assert [len(x) for x in batches] == sizes
    assert (np.concatenate(batches).min(axis=(1, 2, 3)) == np.arange(sum(sizes))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: training_batches(numbered(), N + 1, 0), "batch_size is 18, expected 1 to 17"),
        (lambda: training_batches(numbered(), 0, 0), "batch_size is 0, expected 1 to 17"),
        (lambda: evaluation_batches(numbered(), 0), "batch_size is 0, expected at least 1"),
        (lambda: evaluation_batches(numbered(), 5, 0), "limit is 0, expected at least 1"),
    ],
)
def test_sizes_out_of_range(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_no_pipeline_has_the_thread_that_its_end_is_waited_for():
    split = numbered()
    datasets = [
        training_batches(split, 4, 0),
        training_calls(split, 4, 0, [0, 1], 1),
        training_calls(split, 4, 0, [0], 1, tf.distribute.InputContext(num_replicas_in_sync=2)),
        evaluation_batches(split, 4),
    ]
    assert [dataset.options().autotune.enabled for dataset in datasets] == [False] * 4
