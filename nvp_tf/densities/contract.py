"""What every density model of this room is: a score with its kind and its error, samples, and a folder.

A family is a subclass of `Density`; it writes graphs of TensorFlow ops (`_log_prob`, `_sample`, `_encode`) over
the weights of one Keras model. Everything else (batches, the values that the data does not have, the scale of
vectors, saving, exporting) is here or made of these graphs, and the same for all.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.config.codec import Section
from nvp_tf.data.split import DataSet, Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.errors import UserError
from nvp_tf.event import Event

KINDS = ("exact", "bound", "estimate")
NOISE_SEED = 2018  # of a score's own draws: fixed, so that the same image has the same score
_NARROW = 8  # a column that varies by no more units in the last place is constant


@dataclass(frozen=True)
class Scores:
    """What is known of log P(x), or of log p(x) for vectors.

    value: float64 [n] nats. -inf for a value that the data cannot have.
    kind: "exact"; "bound", not above the exact value in expectation over the draws; "estimate", on either side.
    error: float64 [n] nats, the standard error by the score's own draws: 0 where there are none, nan where one alone
      cannot tell.
    """

    value: np.ndarray
    kind: str
    error: np.ndarray


@dataclass(frozen=True)
class Domain(Event):
    """What a density is over: an event, and of vectors where they lie.

    shift, scale: [dimensions] of vectors; a family sees (x - shift) / scale, whose log-density is of x after
      -sum(log scale), both ways done by `Density`. Empty for images.
    """

    shift: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @classmethod
    def of(cls, dataset: DataSet) -> "Domain":
        """Of a data set; vectors are brought to mean 0 and deviation 1 over the training examples."""
        event = dataset.event
        if event.is_image:
            return cls(tuple(event.shape), event.levels)
        rows = examples(dataset.train, 10_000).astype(np.float64)
        scale = rows.std(axis=0)
        scale = np.where(scale > _NARROW * np.finfo(event.dtype).eps * np.abs(rows).max(axis=0), scale, 1.0)
        place = tuple(rows.mean(axis=0).tolist()), tuple(scale.tolist())
        return cls(tuple(event.shape), None, *place, reals=event.reals, columns=event.columns)

    @property
    def log_scale(self) -> float:
        """sum(log scale), nats."""
        return float(np.log(self.scale).sum()) if self.scale else 0.0


class Density:
    """A density model over one domain.

    Args:
      domain: what it is over.
      settings: of the family's own `Settings`, its size and how it is trained; None for the defaults.
      seed: of the initial weights.
      dtype: of weights and computation, "float64" for checks of the mathematics.

    Raises:
      UserError: a domain that the family is not for (`Unfit`).
    """

    family: ClassVar[str]
    Settings: ClassVar[type[Section]]
    can_sample: bool = True
    batch: int = 100  # examples scored a call
    sample_batch: int = 1000  # drawn a call

    def __init__(self, domain: Domain, settings: Section | None = None, seed: int = 0, dtype: str = "float32") -> None:
        self.domain, self.seed, self.dtype = domain, seed, dtype
        self.settings: Any = self.Settings() if settings is None else settings  # of the family's own class
        keras.utils.set_random_seed(seed)  # of the initial weights; nothing later draws from it
        self.model = self._build()

    # What a family writes.

    def _build(self) -> keras.Model:
        """The Keras model that holds all weights, built."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """One of KINDS."""
        raise NotImplementedError

    @property
    def how(self) -> str:
        """In few words how a score comes about, such as "CDF differences" or "ELBO"."""
        raise NotImplementedError

    @property
    def draws(self) -> int:
        """How many draws a score takes where nobody says; 0 where a score has none."""
        return 0

    @property
    def latent_size(self) -> int | None:
        """Entries of what `encode` gives; None where there is none."""
        return None

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(value [n] nats, error [n] nats) of a batch; a graph.

        Args:
          x: [n, *shape] of `dtype`: integers 0 to levels - 1, or standardized vectors.
          draws: at least 1 where `self.draws` is.
          seed: int64 [2] of the draws, which must be the same for every row: a score is of its image alone.
        """
        raise NotImplementedError

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """[num_samples, *shape] of `dtype`: integers, or standardized vectors; a graph. seed: int64 [2]."""
        raise NotImplementedError

    def _encode(self, x: tf.Tensor) -> tf.Tensor:
        """[n, latent_size] from x as of `_log_prob`; a graph."""
        raise NotImplementedError

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        """Trains until the budget is spent, and keeps the weights that score best on `valid`.

        Args:
          train, valid: splits of the domain's data set.
          budget: of wall-clock, for everything that is done here.
          seed: of the order of the examples and of all noise.

        Returns:
          What was done.
        """
        raise NotImplementedError

    # What everyone uses.

    def log_mass(self, images: np.ndarray, draws: int | None = None, seed: int = NOISE_SEED) -> Scores:
        """log P(x) of integer images, uint8 [n, height, width, channels].

        Args:
          draws: of noise or of latents, for a bound that gets tighter with them; None for `self.draws`.
          seed: of these draws.

        Raises:
          UserError: a density over vectors, another dtype or shape.
        """
        if not self.domain.is_image:
            raise UserError(f"{self.family} is over vectors, which have no mass: use log_prob")
        return self._scores(images, draws, seed)

    def log_prob(self, x: np.ndarray, draws: int | None = None, seed: int = NOISE_SEED) -> Scores:
        """log p(x) of vectors, float [n, dimensions]; arguments and errors as of `log_mass`."""
        if self.domain.is_image:
            raise UserError(f"{self.family} is over images of integers: use log_mass")
        return self._scores(x, draws, seed)

    def scores(self, x: np.ndarray, draws: int | None = None, seed: int = NOISE_SEED) -> Scores:
        """`log_mass` or `log_prob`, whichever the domain has."""
        return (self.log_mass if self.domain.is_image else self.log_prob)(x, draws, seed)

    def sample(self, num_samples: int, seed: int = 0) -> np.ndarray:
        """uint8 images or float32 vectors; the same seed draws the same, in every process."""
        if num_samples < 0:
            raise UserError(f"num_samples is {num_samples}, expected at least 0")
        parts = [
            self._graphs["sample"](min(self.sample_batch, num_samples - first), [seed, first])
            for first in range(0, num_samples, self.sample_batch)
        ]
        empty = np.zeros((0, *self.domain.shape), self.domain.dtype)
        return np.concatenate([empty, *parts])

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Latents float [n, latent_size]; raises UserError where the family has none."""
        if self.latent_size is None:
            raise UserError(f"{self.family} has no latents")
        x = self._checked(x)
        parts = [self._graphs["encode"](x[i : i + self.batch]) for i in range(0, len(x), self.batch)]
        return np.concatenate([np.zeros((0, self.latent_size), self.dtype), *parts])

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(math.prod(w.shape) for w in self.model.trainable_weights)

    def graph_log_prob(
        self, x: tf.Tensor, draws: int | None = None, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """(value [n], error [n]) from raw x, uint8 images or float32 vectors: the graph of every score."""
        seed = tf.constant([NOISE_SEED, 0], tf.int64) if seed is None else seed
        value, error = self._log_prob(self._standardized(x), self.draws if draws is None else draws, seed)
        value -= tf.constant(self.domain.log_scale, value.dtype)
        if self.domain.levels in (None, 256):
            return value, error
        inside = tf.reduce_all(x < self.domain.levels, axis=list(range(1, x.shape.rank)))
        return tf.where(inside, value, -math.inf), tf.where(inside, error, 0.0)

    def graph_sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Raw samples: uint8 images or float32 vectors."""
        drawn = self._sample(num_samples, seed)
        if self.domain.is_image:
            return tf.cast(tf.clip_by_value(drawn, 0, self.domain.top), tf.uint8)
        drawn = tf.cast(drawn, self._reals)
        if self.domain.scale:
            shift, scale = (tf.constant(v, drawn.dtype) for v in (self.domain.shift, self.domain.scale))
            drawn = shift + scale * drawn
        return tf.cast(drawn, self.domain.dtype)

    def graph_encode(self, x: tf.Tensor) -> tf.Tensor:
        """Latents of raw x."""
        return self._encode(self._standardized(x))

    def _standardized(self, x: tf.Tensor) -> tf.Tensor:
        """What a family sees of raw x."""
        if self.domain.is_image:  # a value that the data does not have is scored -inf; here it must not break a table
            return tf.minimum(tf.cast(x, self.dtype), tf.cast(self.domain.top, self.dtype))
        if not self.domain.scale:
            return tf.cast(x, self.dtype)
        x = tf.cast(x, self._reals)
        return tf.cast(
            (x - tf.constant(self.domain.shift, x.dtype)) / tf.constant(self.domain.scale, x.dtype), self.dtype
        )

    def _scores(self, x: np.ndarray, draws: int | None, seed: int) -> Scores:
        x = self._checked(x)
        draws = self.draws if draws is None or not self.draws else draws
        graph = self._score_graph(draws)
        parts = [graph(x[i : i + self.batch], [seed, 0]) for i in range(0, len(x), self.batch)]
        value, error = (np.concatenate([np.zeros(0), *(part[i] for part in parts)]) for i in range(2))
        return Scores(value.astype(np.float64), self.kind, error.astype(np.float64))

    def _checked(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x)
        kind, dtype = "iu" if self.domain.is_image else "f", self.domain.dtype
        if x.shape[1:] != self.domain.shape or x.dtype.kind not in kind:
            expected = f"{dtype} (n, {', '.join(map(str, self.domain.shape))})"
            raise UserError(f"data is {x.dtype} {x.shape}, expected {expected}")
        if self.domain.is_image and x.size and not 0 <= x.min() <= x.max() <= 255:
            raise UserError(f"images have values {x.min()} to {x.max()}, expected 0 to {self.domain.top}")
        return x.astype(dtype if self.domain.is_image else self._reals)

    @functools.cached_property
    def _score_graph(self) -> Callable[[int], Callable]:
        return functools.cache(
            lambda draws: tf.function(
                lambda x, seed: self.graph_log_prob(x, draws, seed), [self._values, _SEED], autograph=False
            )
        )

    @functools.cached_property
    def _graphs(self) -> dict[str, Callable]:
        count = tf.TensorSpec((), tf.int32)
        return {
            "sample": tf.function(self.graph_sample, [count, _SEED], autograph=False),
            "encode": tf.function(self.graph_encode, [self._values], autograph=False),
        }

    @property
    def _reals(self) -> str:
        """What raw vectors are looked at in: the finer of their dtype and of the density's."""
        return "float64" if "float64" in (self.dtype, self.domain.reals) else "float32"

    @property
    def _values(self) -> tf.TensorSpec:
        dtype = tf.uint8 if self.domain.is_image else self._reals
        return tf.TensorSpec((None, *self.domain.shape), dtype)


_SEED = tf.TensorSpec((2,), tf.int64)


class Unfit(UserError):
    """A family asked for a domain that it is not for. The message says why."""


def examples(split: Split, most: int) -> np.ndarray:
    """At most so many examples of a split as an array, evenly spaced: a folder's are sorted."""
    index = np.linspace(0, split.size - 1, min(split.size, most)).round().astype(np.int64)
    return np.asarray(split.read(tf.constant(index), tf.stack([tf.zeros_like(index), index], axis=1)))
