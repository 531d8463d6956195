"""The order of a run's held-out images by density, in three representations: a table, a picture, figures."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.flatness.density_order import UNMOVED, Orders, density_orders
from nvp_tf.flatness.report_data import choose, rows
from nvp_tf.models.flow import Flow
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.pictures.layout import Panel, page
from nvp_tf.runs.run_dir import RunDir

_SHOWN = 5  # of each end of an order


@dataclass(frozen=True)
class DensityReport:
    """examples: what is ranked; numbers: theirs in the test split; orders: of their densities."""

    flow: Flow
    examples: np.ndarray
    numbers: np.ndarray
    orders: Orders

    def bits(self, name: str) -> np.ndarray:
        """-log2 of the density a dimension, in units of a level of the representation: [n]."""
        return bits_per_dim(self.orders.log_density[name], self.flow.dimensions)

    def figures(self) -> dict:
        """For the line of JSON."""
        orders = self.orders
        chosen = {name: float(self.bits(name)[orders.chosen]) for name in orders.log_density}
        return {
            "image": int(self.numbers[orders.chosen]),
            "held_out": len(self.examples),
            "rank": {name: orders.rank(name) for name in orders.log_density},
            "bits_per_dim": chosen,
            "others_moved_by_nats": orders.others_moved,
            "maps": {n: {"rhat": m.rhat, "rho": m.rho, "delta": m.delta} for n, m in orders.maps.items()},
        }

    def table(self) -> str:
        """The three rankings, their ends, in columns of number: bits/dim; the chosen image with a star."""
        size = len(self.examples)
        shown = [*range(min(_SHOWN, size)), *range(max(size - _SHOWN, _SHOWN), size)]
        own = self.orders.rank(UNMOVED) - 1
        places = sorted({*shown, own})
        lines = ["rank    " + "".join(f"{name:>26}" for name in self.orders.log_density)]
        for place in places:
            cells = [self._cell(name, place) for name in self.orders.log_density]
            lines.append(f"{place + 1:<8}" + "".join(f"{cell:>26}" for cell in cells))
        nats = (
            "image number: bits/dim of the density in that representation; every probability is the same in all three"
        )
        return "\n".join([nats, *lines])

    def _cell(self, name: str, place: int) -> str:
        index = self.orders.order(name)[place]
        star = "*" if index == self.orders.chosen else " "
        return f"{star}{self.numbers[index]}: {self.bits(name)[index]:.4f}"

    def picture(self) -> Image.Image:
        """The likeliest and the least likely images in each representation, the chosen one framed in red.

        Raises:
          UserError: a run on vectors.
        """
        if self.flow.pixels is None or len(self.flow.event_shape) != 3:
            raise UserError("a picture needs a run on images, expected no --out for one on vectors")
        levels = self.flow.pixels.levels
        return page([self._panel(name, levels) for name in self.orders.log_density], inches=2.2)

    def _panel(self, name: str, levels: int) -> Panel:
        order = self.orders.order(name)
        picked = np.concatenate([order[:_SHOWN], order[-_SHOWN:]])
        framed = [i for i, index in enumerate(picked) if index == self.orders.chosen]
        title = f"{name}: rank {self.orders.rank(name)} of {len(order)}"
        return Panel(self.examples[picked], levels, _SHOWN, title, rows=["first", "last"], framed=framed)


def of_run(
    run_dir: str,
    count: int,
    image: int | None,
    seed: int = 0,
    data_dir: str | None = None,
    progress: Callable[[Iterable], Iterable] = lambda parts: parts,
) -> DensityReport:
    """Ranks `count` images of a run's test split, in float64, for one of them.

    Args:
      image: a number in the test split; None for one by the seed.

    Raises:
      UserError: no run, an image that the split does not have.
    """
    run = RunDir(run_dir)
    flow = run.load_flow(dtype="float64")
    split = load_dataset(run.config.data.at(data_dir), run.config.model.event.levels).test
    if image is not None and image >= split.size:
        raise UserError(f"image is {image}, expected a number from 0 to {split.size - 1}")
    numbers = choose(split.size, count, seed)
    if image is None:
        image = int(np.random.default_rng(seed).choice(numbers))
    numbers = np.union1d(numbers, [image])
    examples = rows(split, numbers)
    chosen = int(np.searchsorted(numbers, image))
    return DensityReport(flow, examples, numbers, density_orders(flow, examples, chosen, progress))
