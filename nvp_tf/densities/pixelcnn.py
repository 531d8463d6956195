"""PixelCNN: gated masked convolutions without a blind spot, and mixtures of discretized logistics (thesis 4.2.1)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.config.codec import number
from nvp_tf.densities.conditionals import LogisticMixture
from nvp_tf.densities.contract import Unfit
from nvp_tf.densities.gradient import GradientDensity, Trainable
from nvp_tf.densities.masked import MaskedConv2D, MaskedDense, left_of, rows_above
from nvp_tf.densities.pixelcnn_sampler import cached


class GatedLayer(keras.layers.Layer):
    """One layer of the two stacks (Gated PixelCNN, van den Oord et al. 2016).

        v' = gate(conv_v(v) + b)                        v: of the rows above a pixel
        h' = gate(conv_h(h) + link(conv_v(v)) + c)      h: of them, and of what is left of it in its row
        h' = h + out(h')                                but in the first layer, whose h is the image
        gate([a, b]) = tanh(a) sigmoid(b)

    Args:
      filters: of v and h.
      size: of the square that is masked, odd.
      first: whether v and h are the image, of which a pixel must not see itself.
      last: whether nobody asks for v'.
    """

    def __init__(self, filters: int, size: int, first: bool, last: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.first, self.last, self.filters = first, last, filters
        self.above = MaskedConv2D(2 * filters, rows_above(size, centre=not first), dtype=dtype, name="above")
        self.left = MaskedConv2D(2 * filters, left_of(size, centre=not first), dtype=dtype, name="left")
        everything = _full(2 * filters, 2 * filters)
        self.link = MaskedDense(everything, gain=1.0, bias=False, dtype=dtype, name="link")
        self.out = MaskedDense(_full(filters, filters), gain=1.0, bias=False, dtype=dtype, name="out")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.above.build(input_shape)
        self.left.build(input_shape)
        self.link.build(None)
        self.out.build(None)
        self.horizontal_bias = self._bias("horizontal_bias")
        self.vertical_bias = None if self.last else self._bias("vertical_bias")
        self.built = True

    def call(self, v: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
        above = self.above(v)
        return self.vertical(above), self.horizontal(self.left(h), self.link(above), h)

    def vertical(self, above: tf.Tensor) -> tf.Tensor | None:
        """v' of conv_v(v)."""
        return None if self.last else _gate(above + self.vertical_bias)

    def horizontal(self, left: tf.Tensor, linked: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        """h' of conv_h(h), link(conv_v(v)), and h."""
        after = self.out(_gate(left + linked + self.horizontal_bias))
        return after if self.first else h + after

    def _bias(self, name: str) -> keras.Variable:
        return self.add_weight(name=name, shape=(2 * self.filters,), initializer="zeros")


class PixelCNN(keras.Model):
    """Images [n, H, W, C] of -1 to 1 -> outputs [n, H, W, P]; those of a pixel depend on the pixels before it.

    Args:
      shape: (H, W, C).
      filters, layers, size, first_size: of `GatedLayer`s; the first one may see further.
      hidden: units between the last of them and the outputs.
      initial: [P], the outputs to begin with.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        filters: int,
        layers: int,
        size: int,
        first_size: int,
        hidden: int,
        initial: np.ndarray,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        sizes = [first_size] + [size] * (layers - 1)
        self.gated = [
            GatedLayer(filters, side, first=not i, last=i == layers - 1, dtype=dtype, name=f"layer_{i}")
            for i, side in enumerate(sizes)
        ]
        self.hidden = MaskedDense(_full(filters, hidden), "relu", dtype=dtype, name="hidden")
        self.outputs_layer = MaskedDense(
            _full(hidden, len(initial)), gain=0.1, bias=initial, dtype=dtype, name="outputs"
        )
        for i, layer in enumerate(self.gated):
            layer.build((None, *shape[:2], filters if i else shape[2]))
        self.hidden.build(None)
        self.outputs_layer.build(None)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        v = h = x
        for layer in self.gated:
            v, h = layer(v, h)
        return self.head(h)

    def head(self, h: tf.Tensor) -> tf.Tensor:
        """[..., P] of the last h [..., filters]."""
        return self.outputs_layer(self.hidden(tf.nn.relu(h)))


@dataclass(frozen=True)
class PixelCnnSettings(Trainable):
    """The network's size, and how many logistics a pixel's distribution has."""

    complete: ClassVar[bool] = False
    filters: int = number(32, 1)
    layers: int = number(6, 1)
    size: int = number(3, 1)
    first_size: int = number(7, 3)
    hidden: int = number(64, 1)
    components: int = number(5, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("size", "first_size"):
            if getattr(self, name) % 2 == 0:
                raise Unfit(f"{name} is {getattr(self, name)}, expected an odd number: the pixel is in the middle")


class PixelCnnDensity(GradientDensity):
    """log P(x) = sum_ij log P(x_ij | the pixels before), row by row, the channels of a pixel in order: exact."""

    family = "pixelcnn"
    Settings = PixelCnnSettings
    kind = "exact"
    how = "chain rule, discretized logistics"
    batch = 50
    sample_batch = 100

    def _build(self) -> PixelCNN:
        if not self.domain.is_image:
            raise Unfit("a PixelCNN is over images, these are vectors")
        settings, shape = self.settings, self.domain.shape
        self.conditional = LogisticMixture(self.domain.top + 1, settings.components, shape[2])
        return PixelCNN(
            shape, settings.filters, settings.layers, settings.size, settings.first_size, settings.hidden,
            self.conditional.initial(), dtype=self.dtype,
        )  # fmt: skip

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        each = self.conditional.log_prob(x, self.model(self.units(x)))
        value = tf.reduce_sum(each, axis=[1, 2])
        return value, tf.zeros_like(value)

    def _loss(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return -self._log_prob(x, 0, seed)[0]

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return cached(self, self.noise(num_samples, seed))

    def noise(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """All that is random about samples: `conditional.noise` of [H, W, num_samples]."""
        return self.conditional.noise([*self.domain.shape[:2], num_samples], seed, self.dtype)

    def units(self, x: tf.Tensor) -> tf.Tensor:
        """What the network sees of integers: -1 to 1."""
        return 2 * x / self.domain.top - 1


def _full(inputs: int, outputs: int) -> np.ndarray:
    return tf.ones([inputs, outputs], tf.bool).numpy()


def _gate(x: tf.Tensor) -> tf.Tensor:
    a, b = tf.split(x, 2, axis=-1)
    return tf.tanh(a) * tf.sigmoid(b)
