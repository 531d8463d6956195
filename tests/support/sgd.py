"""Steps of plain SGD, which does not hide a gradient's scale as Adam does, on any strategy; what they moved.

As a script a worker of test_workers.py: python sgd.py CONFIG.json OUT.npz
"""

import sys
from pathlib import Path

from nvp_tf import cli

if __name__ == "__main__":
    cli.quiet_tensorflow()

import keras
import numpy as np
import tensorflow as tf

import nvp_tf
from nvp_tf.config.schema import Config
from nvp_tf.data.pipeline import training_calls
from nvp_tf.data.registry import load_dataset
from nvp_tf.evaluation.evaluator import Evaluator
from nvp_tf.training.batch_statistics import BatchStatistics
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.distributed.workers import Workers
from nvp_tf.training.state import TrainingState


class SGD(keras.optimizers.SGD):
    """Of gradients that are summed over replicas already: Keras would do it once more."""

    def _all_reduce_sum_gradients(self, gradients_and_variables):
        return gradients_and_variables


def sgd_config(*flow, clip_norm):
    """A small Real NVP of digits whose step has all that replicas must agree on; its batch is not of equal parts."""
    return nvp_tf.preset(
        "realnvp_digits",
        *(f"model.flow.{key}" for key in ("scales=1", "filters=3", "blocks=1", "couplings=1", *flow)),
        *("train.batch_size=7", "train.l2=0.01", "train.ema_decay=0.9", f"train.clip_norm={clip_norm}"),
    )


def assert_same_steps(one, other, clip_norm):
    """That the steps did something, with or without clipping, and the same."""
    assert (min(one["norms"]) > clip_norm) == (clip_norm < 1), one["norms"]
    assert max(np.abs(one[f"flow/{i}"] - one[f"start/{i}"]).max() for i in range(9)) > 0.01
    bounds = {"losses": (1e-5, 0), "norms": (1e-4, 0), "scores": (0, 1e-3)}
    for name in one.keys() - {"sizes"}:
        relative, absolute = bounds.get(name, (0, 1e-5))
        np.testing.assert_allclose(other[name], one[name], rtol=relative, atol=absolute, err_msg=name)


def sgd_steps(config, strategy, data, steps):
    """{name: array} of what some steps found and left, and an evaluation's scores after them."""
    keras.utils.set_random_seed(0)
    train = config.train
    with strategy.scope():
        state = TrainingState(config)
        state.optimizer = SGD(0.01)
        state.optimizer.build(state.flow.trainable_variables)
        # At beta 0 the zeros of a masked input, whose mean is 0 after a batch norm, sit on the kink of the
        # network's first ReLU: the sign of a rounding error would choose the gradient of all of them at once.
        for weight in state.flow.trainable_variables:
            if weight.path.endswith("/beta"):
                weight.assign(weight + 0.1)
        state.start_average()

    def one(batch):
        return state.replica_step({name: value[:, 0] for name, value in batch.items()})

    @tf.function(autograph=False)
    def step(batch):
        found = strategy.run(one, args=(batch,))
        return [strategy.experimental_local_results(value)[0] for value in found]

    def weights(when, flow):
        return {f"{when}/{number}": weight for number, weight in enumerate(flow.get_weights())}

    results = weights("start", state.flow)
    batches = strategy.distribute_datasets_from_function(
        lambda pipeline: training_calls(data.train, train.batch_size, train.seed, range(steps), 1, pipeline)
    )
    found = []
    for batch, _ in zip(batches, range(steps), strict=False):
        sizes = [len(part) for part in strategy.experimental_local_results(batch["x"])]
        found.append([float(value) for value in step(batch)])
    losses, norms = np.transpose(found)
    results |= {"sizes": np.array(sizes), "losses": losses, "norms": norms}
    results |= weights("flow", state.flow) | weights("averaged", state.averaged)
    BatchStatistics(state.averaged, data.train, train.batch_size, train.seed, 3, strategy).recompute()
    results |= weights("recomputed", state.averaged)
    evaluator = Evaluator(state.averaged, batch_size=8, workers=Workers(strategy))
    return results | {"scores": evaluator.log_probs(data.valid, limit=20)}


if __name__ == "__main__":
    config_file, out = sys.argv[1:]
    strategy = make_strategy("multiworker", 240)  # before TensorFlow does anything else
    config = Config.from_json(Path(config_file).read_text())
    np.savez(out, **sgd_steps(config, strategy, load_dataset(config.data), steps=20))
