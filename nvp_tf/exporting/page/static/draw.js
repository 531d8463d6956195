// New pictures: noise of the prior, times the temperature, decoded.
import {byId, newestOnly, tile} from "./page.js";
import {draws} from "./random.js";

const COUNT = 24;

export function drawSection({model, about, look}) {
  const [slider, seed] = [byId("temperature"), byId("seed")];
  const tiles = Array.from({length: COUNT}, (_, i) => tile(byId("drawn"), `Look at drawn picture ${i + 1}`));
  const dimensions = about.scales.length;

  const redraw = newestOnly(async (stale) => {
    const temperature = Number(slider.value);
    byId("temperature-value").textContent = temperature.toFixed(2);
    const noise = draws(about.prior, COUNT * dimensions, Number(seed.textContent));
    for (const [i, {show, button}] of tiles.entries()) {
      const latents = noise.subarray(i * dimensions, (i + 1) * dimensions).map((value) => value * temperature);
      const pixels = await model.decode(latents);
      if (await stale()) return;
      show(pixels, about);
      button.onclick = () => look(pixels, `drawn picture ${i + 1}`, true);
    }
  });
  slider.oninput = redraw;
  byId("again").onclick = () => {
    seed.textContent = Number(seed.textContent) + 1;
    redraw();
  };
  return redraw();
}
