"""What a run chooses when it begins, where its config leaves it open: by its sizes, or else by a clock.

The choice is written into the run's config.json, so that it goes on by it on whatever machine.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable

import tensorflow as tf

from nvp_tf import runtime
from nvp_tf.config.schema import Config, ModelConfig, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.models.build import build
from nvp_tf.runs.run_dir import RunDir

_SMALL = 5e8  # floating-point operations of a convolution: of larger ones each is worth every core
_TINY = 5e6  # of a product of vectors' networks: larger ones are worth handing out
_SHORT = 200  # steps: of fewer the clock takes as long as it could save
_BFLOAT16 = {"avx512f", "avx_ne_convert"}  # oneDNN asks for one; without, a step takes five times as long as in float32
_FASTER = 1.1  # that bfloat16 must be, to be worth its rounding
_SECONDS = 1.0


def set_threads(config: Config, run: RunDir | None = None) -> None:
    """Before TensorFlow computes: the threads of an operation that the run has, or that a new one is to have.

    A step of a Real NVP goes through its graph on two ways at once, gradients of inputs and of weights: where its
    convolutions are small, half of the cores for each is quicker than all for both. Products of vectors that are tiny
    are quickest by one thread. All else has TensorFlow's own threads.
    """
    open_choice = runtime.cores()
    if not runtime.gpus():
        if _product(config) < _TINY:
            open_choice = 1
        elif _convolution(config) < _SMALL:
            open_choice = max(1, open_choice // 2)
    threads = config.train.threads or (run.config.train.threads if run and run.begun else open_choice)
    if threads:  # a run of before has none
        runtime.set_threads(threads)


def _product(config: Config) -> float:
    """Floating-point operations of one product of a batch, between the hidden layers of vectors' networks. Infinite
    where there is none."""
    flow = config.model.flow
    if not isinstance(flow, VectorRealNVPConfig):
        return math.inf
    return 2 * flow.hidden_units**2 * config.train.batch_size


def _convolution(config: Config) -> float:
    """Floating-point operations of one convolution 3x3 of a Real NVP's batch; every scale's has as many. Infinite where
    there is none."""
    flow = config.model.flow
    if not isinstance(flow, RealNVPConfig):
        return math.inf
    height, width, _ = config.model.event_shape
    places = height * width / (4 if flow.checkerboard == "packed" else 1)
    return 2 * 9 * flow.filters**2 * places * config.train.batch_size


def chosen(config: Config) -> Config:
    """A copy that leaves nothing open. What bfloat16 is tried on is the model's first scale, with as little as it can
    have.

    `train.threads` are those that this process has. `train.network_dtype` is bfloat16 where a step of the couplings is
    faster in it on this machine; of vectors, of NICE, of a few steps and by a processor that cannot do it, it is
    float32 without a look.
    """
    train = dataclasses.replace(config.train, threads=config.train.threads or runtime.threads())
    if train.network_dtype == "auto":
        train = dataclasses.replace(train, network_dtype=_network_dtype(config))
    return dataclasses.replace(config, train=train)


def _network_dtype(config: Config) -> str:
    flow, steps = config.model.flow, config.train.steps
    if not isinstance(flow, RealNVPConfig) or steps < _SHORT or _without_bfloat16():
        return "float32"
    small = dataclasses.replace(flow, scales=1, couplings=1, blocks=min(1, flow.blocks))
    model, batch = dataclasses.replace(config.model, flow=small), config.train.batch_size
    seconds = _seconds({dtype: _step(model, dtype, batch) for dtype in ("float32", "bfloat16")})
    return "bfloat16" if seconds["float32"] > _FASTER * seconds["bfloat16"] else "float32"


def _without_bfloat16() -> bool:
    flags = runtime.cpu_flags()
    return bool(flags) and not flags & _BFLOAT16 and not runtime.gpus()


def _step(model: ModelConfig, dtype: str, batch: int) -> Callable[[], tf.Tensor]:
    """A gradient of the model: a function of nothing that computes it."""
    flow = build(model, network_dtype=dtype)
    x = tf.zeros((batch, *model.event_shape), flow.event.dtype)

    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x, training=True))
        return tf.linalg.global_norm(tape.gradient(loss, [v.value for v in flow.trainable_variables]))

    return functools.partial(tf.function(gradient, autograph=False), x)


def _seconds(steps: dict[str, Callable[[], tf.Tensor]]) -> dict[str, float]:
    """The best time of each, taken in turn."""
    for step in steps.values():
        step().numpy()
    best = dict.fromkeys(steps, float("inf"))
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        for name, step in steps.items():
            began = time.perf_counter()
            step().numpy()
            best[name] = min(best[name], time.perf_counter() - began)
    return best
