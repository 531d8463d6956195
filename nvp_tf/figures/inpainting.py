"""Pixels that are hidden, inferred from those that are seen."""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from nvp_tf.errors import UserError
from nvp_tf.figures.hidden_pixels import hidden_pixels
from nvp_tf.figures.langevin import CHAINS, Chain
from nvp_tf.pictures.layout import Animation, Interrupted, Panel, page
from nvp_tf.runs.source import Source

FRAMES = 24
STEP_SIZES = {"pixels": 0.1, "latents": 0.3}
STEPS = {"pixels": 1500, "latents": 300}


def draw(
    source: Source,
    *,
    num: int = 10,
    steps: int | None = None,
    step_size: float | None = None,
    clip: bool = True,
    chain: str | None = None,
) -> Animation:
    """Held-out images, what is left of them under ten masks, and what the model makes of the rest (figure 5.7).

        x_hidden ~ U(0, 1) at first, then approximate Langevin sampling; x_visible is clamped

    The authors take 111,895 steps. Ctrl-C gives the picture of the steps done.

    Args:
      num: images a mask.
      steps: of the chain; None for 1500 on pixels and 300 on latents.
      step_size: the first step's; None for 0.1 on pixels (the authors') and 0.3 on latents.
      clip: whether the state is kept in the pixels' range.
      chain: "pixels" (the thesis') or "latents"; None for pixels with NICE and latents with Real NVP.

    Raises:
      Interrupted: after Ctrl-C, with the picture so far.
    """
    source.need_images("inpainting")
    chain = chain or ("latents" if source.config.model.flow.kind == "realnvp" else "pixels")
    if chain not in CHAINS:
        raise UserError(f"chain is {chain!r}, expected one of {', '.join(CHAINS)}")
    height, width, _ = source.flow.event.shape
    examples = source.examples(num)
    masks = hidden_pixels(height, width, len(examples), source.seed)
    hidden = np.concatenate(list(masks.values()))
    truth = np.tile(examples, (len(masks), 1, 1, 1))
    start = initial(truth, hidden, source.levels, source.seed)
    steps = steps or STEPS[chain]
    size = STEP_SIZES[chain] if step_size is None else step_size
    sampler = CHAINS[chain](source.flow, hidden, source.seed, size, clip)
    states, done = run(sampler, start, steps)

    def frame(step: int, state: np.ndarray) -> Image.Image:
        grids = {"originals": truth, "hidden pixels at random": integers(start, source.levels),
                 f"inferred, step {step:,} of {steps:,}": integers(state, source.levels)}  # fmt: skip
        panels = [Panel(g, source.levels, len(examples), title) for title, g in grids.items()]
        panels[0].rows.extend(masks)
        return page(panels, inches=4.5)

    frames = [frame(*state) for state in states]
    drawing = Animation(frames[-1], frames + 12 * frames[-1:])  # The end is looked at longer.
    if done < steps:
        raise Interrupted(drawing, f"after step {done} of {steps}")
    return drawing


def run(sampler: Chain, x: np.ndarray, steps: int) -> tuple[list[tuple[int, np.ndarray]], int]:
    """Steps of a chain, with a bar on stderr; Ctrl-C ends them early.

    Returns:
      ([(step, x)], steps done): the states at 0 and later, ever farther apart, as in the authors' film.
    """
    keep = {round(steps * (j / FRAMES) ** 3) for j in range(1, FRAMES + 1)}
    states, done = [(0, x)], 0
    state = tf.constant(x)
    try:
        for i in tqdm(range(steps), unit="step", file=sys.stderr, mininterval=1 if sys.stderr.isatty() else 30):
            state = sampler.step(state, i)
            done = i + 1
            if done in keep:
                states.append((done, state.numpy()))
    except KeyboardInterrupt:
        states.append((done, state.numpy()))
    return states, done


def initial(images: np.ndarray, hidden: np.ndarray, levels: int, seed: int) -> np.ndarray:
    """Integers -> x float32 in [0, 1], hidden pixels U(0, 1)."""
    noise = np.random.default_rng([seed, 1]).random(images.shape, np.float32)
    return np.where(hidden, noise, images.astype(np.float32) / np.float32(levels - 1))


def integers(x: np.ndarray, levels: int) -> np.ndarray:
    return np.rint(np.clip(x, 0, 1) * (levels - 1)).astype(np.uint8)
