"""Coupling: one part of the input is kept, the other is changed by what a network makes of the first."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers import masks
from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet, build_once, sum_event
from nvp_tf.layers.recompute import recomputed
from nvp_tf.layers.sharing import shared


@keras.saving.register_keras_serializable("nvp_tf")
class Additive(keras.layers.Layer):
    """The additive transform of NICE, which keeps volume (thesis 5.1.1).

    forward: y = x + t,    inverse: x = y - t,    log_det = 0
    """

    outputs_per_entry = 1  # what the network gives for each changed entry

    def forward(self, x: tf.Tensor, outputs: tf.Tensor) -> ValueAndLogDet:
        return x + outputs, tf.zeros_like(x)

    def inverse(self, y: tf.Tensor, outputs: tf.Tensor) -> ValueAndLogDet:
        return y - outputs, tf.zeros_like(y)


@keras.saving.register_keras_serializable("nvp_tf")
class Affine(keras.layers.Layer):
    """The affine transform of Real NVP: add first, then scale (thesis 5.1.2).

        forward:  y = (x + t) * exp(s),     log_det = s
        inverse:  x = y * exp(-s) - t,      log_det = -s
        s = gamma * tanh(raw_s)

    tanh keeps a step's scale bounded, gamma is one learned scalar. The network gives t and then
    raw_s along the last axis. gamma starts at 1 and not at 0: the networks' last layer starts at 0,
    and where both do, neither has a gradient.
    """

    outputs_per_entry = 2

    def build(self, _: None) -> None:
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="ones")
        self.built = True

    def forward(self, x: tf.Tensor, outputs: tf.Tensor) -> ValueAndLogDet:
        t, s = self._parameters(outputs)
        return (x + t) * tf.exp(s), s

    def inverse(self, y: tf.Tensor, outputs: tf.Tensor) -> ValueAndLogDet:
        t, s = self._parameters(outputs)
        return y * tf.exp(-s) - t, -s

    def _parameters(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        t, raw_s = tf.split(outputs, 2, axis=-1)
        return t, self.gamma * tf.tanh(raw_s)


@keras.saving.register_keras_serializable("nvp_tf")
class Coupling(Bijective):
    """A coupling layer (thesis 5.1, figures 5.2 and 5.8).

        forward:  y_kept = x_kept,  y_changed = transform(x_changed; network(x_kept))
        inverse:  x_kept = y_kept,  x_changed = transform^-1(y_changed; network(y_kept))
        log_det:  the transform's, summed over the changed entries

    A mask that depends on the last axis alone (vectors, channels) splits that axis: the network
    sees the kept entries and answers for the changed ones. Any other mask b (a checkerboard)
    multiplies: the network sees b * x, answers for all entries, and its answers where b = 1 are dropped.

    Args:
      mask: bool array of the event's shape, True where the input is kept.
      network: a Keras layer, from kept entries [n, ..., k] to [n, ..., outputs_per_entry * c], c the
        changed entries of the last axis (all of them where the mask multiplies).
      transform: `Additive()` or `Affine()`.
      recompute: whether nothing in between is kept for the gradient, but computed again (`recomputed`). An attribute,
        too, that may be set later.

    Raises:
      ValueError: a mask that keeps all or nothing, or is not of the event's shape.
    """

    def __init__(
        self,
        mask: np.ndarray,
        network: keras.layers.Layer,
        transform: Additive | Affine,
        recompute: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        mask = np.asarray(mask, bool)
        if mask.all() or not mask.any():
            raise ValueError(f"mask of shape {mask.shape} keeps {int(mask.sum())} entries, expected some but not all")
        self.mask = mask
        self.network = network
        self.transform = transform
        self.recompute = recompute
        row = mask.reshape(-1, mask.shape[-1])[0]
        self.splits = bool((mask == row).all())
        self.kept, self.changed = np.flatnonzero(row), np.flatnonzero(~row)
        changes = int((row[1:] != row[:-1]).sum())
        self.halves = self.splits and changes == 1
        self.alternates = self.splits and changes > 1 and changes == len(row) - 1 and len(row) % 2 == 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "mask": masks.pack(self.mask),
            "network": keras.saving.serialize_keras_object(self.network),
            "transform": keras.saving.serialize_keras_object(self.transform),
            "recompute": self.recompute,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("network", "transform")}
        return super().from_config(config | parts | {"mask": masks.unpack(config["mask"])})

    def _build(self, event_shape: Shape) -> None:
        if event_shape != self.mask.shape:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected the mask's {self.mask.shape}")
        entries = len(self.kept) if self.splits else event_shape[-1]
        build_once(self.network, (None, *event_shape[:-1], entries))
        build_once(self.transform, None)

    @property
    def weight_scales(self) -> list[keras.Variable]:
        return getattr(self.network, "weight_scales", [])

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        def couple(x: tf.Tensor) -> ValueAndLogDet:
            return self._couple(x, "forward", training)

        return recomputed(couple, x) if self.recompute else couple(x)

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        return self._couple(y, "inverse", False)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        kept, changed, log_det = self._parts(x, "forward", False)
        return self._merge(kept, changed), self._merge(tf.zeros_like(kept), log_det)

    def _couple(self, x: tf.Tensor, direction: str, training: bool) -> ValueAndLogDet:
        kept, changed, log_det = self._parts(x, direction, training)
        return self._merge(kept, changed), sum_event(log_det)

    def _parts(self, x: tf.Tensor, direction: str, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(kept, changed, the log_det of each changed entry): what `_merge` takes."""
        kept, changed = self._split(x)
        changed, log_det = self._transformed((kept, changed), direction, training)
        if not self.splits:
            changed_entries = tf.constant(~self.mask, x.dtype)
            changed, log_det = changed * changed_entries, log_det * changed_entries
        return kept, changed, log_det

    @shared("mask")
    def _transformed(self, parts: tuple[tf.Tensor, tf.Tensor], direction: str, training: bool) -> ValueAndLogDet:
        kept, changed = parts
        outputs = tf.cast(self.network(kept, training=training), changed.dtype)
        return getattr(self.transform, direction)(changed, outputs)

    def _split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.splits:
            return x * tf.constant(self.mask, x.dtype), x
        return self._swapped(*self._apart(x))

    def _merge(self, kept: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
        if not self.splits:
            return kept + changed
        return self._joined(self._swapped(kept, changed))

    def _swapped(self, kept: Any, changed: Any) -> tuple[Any, Any]:
        """In the order of their first entries, or from it back."""
        return (kept, changed) if self.kept[0] == 0 else (changed, kept)

    def _apart(self, x: tf.Tensor) -> list[tf.Tensor]:
        """The kept and the changed entries, in the order of their first ones."""
        if self.alternates:
            return tf.unstack(tf.reshape(x, [-1, *self.event_shape[:-1], len(self.kept), 2]), axis=-1)
        if self.halves:
            return tf.split(x, [len(indices) for indices in self._indices], axis=-1)
        return [tf.gather(x, indices, axis=-1) for indices in self._indices]

    def _joined(self, parts: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """`_apart`'s inverse."""
        if self.alternates:
            return tf.reshape(tf.stack(parts, axis=-1), [-1, *self.event_shape])
        x = tf.concat(parts, axis=-1)
        return x if self.halves else tf.gather(x, np.argsort(np.concatenate(self._indices)), axis=-1)

    @property
    def _indices(self) -> tuple[np.ndarray, np.ndarray]:
        return self._swapped(self.kept, self.changed)
