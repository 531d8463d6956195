"""Layers in sequence, and the multi-scale step that leaves half of the variables behind."""

from typing import Any, Self

import keras
import tensorflow as tf

from nvp_tf.layers.base import Bijective, LogDets, Shape, ValueAndLogDet, build_once, no_log_det
from nvp_tf.layers.squeeze import squeeze, unsqueeze


@keras.saving.register_keras_serializable("nvp_tf")
class Chain(Bijective):
    """Layers one after another: values are passed on, log-determinants add up.

    Args:
      layers: a list of `Bijective`, the data side first.
    """

    def __init__(self, layers: list[Bijective], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layers = list(layers)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"layers": [keras.saving.serialize_keras_object(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return super().from_config(config | {"layers": layers})

    @property
    def data_dtype(self) -> str:
        return self.layers[0].data_dtype if self.layers else super().data_dtype

    def latent_shape(self, event_shape: Shape) -> Shape:
        for layer in self.layers:
            event_shape = layer.latent_shape(event_shape)
        return event_shape

    @property
    def weight_scales(self) -> list[keras.Variable]:
        return [scale for layer in self.layers for scale in layer.weight_scales]

    def at_data(self, values: tf.Tensor) -> tf.Tensor:
        for layer in reversed(self.layers):
            values = layer.at_data(values)
        return values

    def trace(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, LogDets]:
        found = []
        for layer in self.layers:
            x, of_layer = layer.trace(x, training)
            found += of_layer
        return x, found

    def _build(self, event_shape: Shape) -> None:
        for layer in self.layers:
            build_once(layer, (None, *event_shape))
            event_shape = layer.latent_shape(event_shape)

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        total = no_log_det(x, self.compute_dtype)
        for layer in self.layers:
            x, log_det = layer.forward(x, training)
            total += log_det
        return x, total

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        terms = []
        for layer in self.layers:
            x, nats = layer.entrywise(x)
            terms.append(nats)
        total = tf.zeros_like(x)
        for layer, nats in zip(reversed(self.layers), reversed(terms), strict=True):
            total = layer.at_data(total) + nats
        return x, total

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        total = no_log_det(y)
        for layer in reversed(self.layers):
            y, log_det = layer.inverse(y)
            total += log_det
        return y, total


@keras.saving.register_keras_serializable("nvp_tf")
class FactorOut(Bijective):
    """Half of the variables go on to the next scale, the other half is done (thesis 5.3.5, figure 5.10).

        forward:  (a, z) = halves of ordered_squeeze(x);  y = ordered_unsqueeze([inner(a), z])
        inverse:  (b, z) = halves of ordered_squeeze(y);  x = ordered_unsqueeze([inner^-1(b), z])
        log_det:  inner's

    A bijection from one image shape to itself: latents keep the image's shape at every depth. The half that goes
    on is the pixels (0,0) and (1,1) of each 2x2 block.

    Args:
      inner: the `Bijective` of the next scale, on [H/2, W/2, 2C].
    """

    def __init__(self, inner: Bijective, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return super().from_config(config | {"inner": keras.saving.deserialize_keras_object(config["inner"])})

    @property
    def weight_scales(self) -> list[keras.Variable]:
        return self.inner.weight_scales

    def at_data(self, values: tf.Tensor) -> tf.Tensor:
        a, z = self._halves(values)
        return self._whole(self.inner.at_data(a), z)

    def trace(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, LogDets]:
        a, z = self._halves(x)
        a, found = self.inner.trace(a, training)
        return self._whole(a, z), found

    def _build(self, event_shape: Shape) -> None:
        if len(event_shape) != 3 or event_shape[0] % 2 or event_shape[1] % 2:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected (even, even, channels)")
        height, width, channels = event_shape
        build_once(self.inner, (None, height // 2, width // 2, 2 * channels))

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        a, z = self._halves(x)
        a, log_det = self.inner.forward(a, training)
        return self._whole(a, z), log_det

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        a, z = self._halves(x)
        a, nats = self.inner.entrywise(a)
        return self._whole(a, z), self._whole(nats, tf.zeros_like(z))

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        b, z = self._halves(y)
        b, log_det = self.inner.inverse(b)
        return self._whole(b, z), log_det

    def _halves(self, x: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(squeeze(x, "ordered"), 2, axis=-1)

    def _whole(self, a: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        return unsqueeze(tf.concat([a, z], axis=-1), "ordered")
