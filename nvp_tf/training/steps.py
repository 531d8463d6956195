"""Which steps one compiled call does: of a small model many, whose cost one by one would be that of calling."""

import tensorflow as tf

from nvp_tf.config.schema import Config, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.layers.sharing import CALLED, sharing
from nvp_tf.training.state import TrainingState

OPERATIONS = 2.5e9  # floating-point, of a call: 50 ms of two CPU cores, after which a signal is looked for
COMPILES_AFTER = 1000  # steps: XLA's compiler takes as long as some hundreds of them


class Calls:
    """A run's steps in calls of `size` steps; the last one before an evaluation or the end may have fewer.

    The config decides it, and no clock: whenever a run goes on, and on whatever machine, its calls are the same.

    Args:
      config: of the run.
      parameters: how many the flow has.
      replicas: over which a step is spread.

    Attributes:
      size: steps of a call.
      compiled: whether XLA compiles it. It does vectors in half the time, is slower at convolutions, and cannot
        do more than one replica.
    """

    def __init__(self, config: Config, parameters: int, replicas: int) -> None:
        train, flow = config.train, config.model.flow
        self.steps, self.every = train.steps, train.evaluate_every
        # Each weight is multiplied once forward and twice for the gradients, at each pixel where it is a filter's.
        height, width, *_ = config.model.event_shape if isinstance(flow, RealNVPConfig) else (1, 1)
        operations = 6 * parameters * height * width * train.batch_size
        interval = min(self.every, self.steps)
        most = max(1, int(OPERATIONS / operations))
        self.size = _up(interval, _up(interval, most))  # as many calls, of sizes as equal as can be
        self.compiled = replicas == 1 and isinstance(flow, VectorRealNVPConfig) and self.steps >= COMPILES_AFTER

    def count(self, step: int) -> int:
        """How many steps the call does that goes on after so many."""
        return min(self.size, self.every - step % self.every, self.steps - step)

    def starts(self, step: int) -> list[int]:
        """The steps done before each call, from `step` to the end."""
        starts = []
        while step < self.steps:
            starts.append(step)
            step += self.count(step)
        return starts


def steps_of_a_call(
    state: TrainingState, strategy: tf.distribute.Strategy, calls: Calls
) -> tf.types.experimental.PolymorphicFunction:
    """The function of (batches, count) that does `count` steps, or up to the first with a loss or norm not finite.

    Args:
      state: a TrainingState, which each step moves.
      strategy: that spreads a step over its replicas.
      calls: a Calls.

    Returns:
      A tf.function. batches: as of `data.training_calls`, spread by the strategy. Its answer: how many steps were
      done, and float32 [size] losses and norms (`TrainingState.replica_step`), 0 for those that were not.
    """

    # XLA must know each shape, and a call hides those that its gradient needs.
    @sharing("" if calls.compiled else CALLED)
    def one(batches: dict[str, tf.Tensor], number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return state.replica_step({name: value[:, number] for name, value in batches.items()}, calls.compiled)

    def step(batches: dict[str, tf.Tensor], number: tf.Tensor) -> list[tf.Tensor]:
        results = strategy.run(one, args=(batches, number))
        return [strategy.experimental_local_results(value)[0] for value in results]

    def single(batches: dict[str, tf.Tensor], count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        loss, norm = step(batches, tf.constant(0))
        return tf.minimum(count, 1), loss[None], norm[None]

    def steps(batches: dict[str, tf.Tensor], count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        positions = tf.range(calls.size)

        def go_on(done: tf.Tensor, finite: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
            return finite & (done < count)

        def body(done: tf.Tensor, _: tf.Tensor, losses: tf.Tensor, norms: tf.Tensor) -> tuple[tf.Tensor, ...]:
            loss, norm = step(batches, done)
            finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
            here = positions == done
            return done + 1, finite, tf.where(here, loss, losses), tf.where(here, norm, norms)

        zeros = tf.zeros([calls.size])
        done, _, losses, norms = tf.while_loop(go_on, body, (tf.constant(0), tf.constant(True), zeros, zeros))
        return done, losses, norms

    # TensorFlow carries each variable into a loop and out of it. Not rewritten by autograph, as in evaluator.py.
    return tf.function(single if calls.size == 1 else steps, autograph=False, jit_compile=calls.compiled)


def _up(number: int, divisor: int) -> int:
    return -(-number // divisor)
