// A manifold through four held-out pictures, by two angles (figure 5.14 of Dinh's thesis).
import {byId, newestOnly, tile} from "./page.js";
import {paintPicture} from "./paint.js";

const CELLS = 8; // of the map, each way

export async function betweenSection({model, about, look}) {
  byId("map-picture").style.aspectRatio = `${about.shape[1]} / ${about.shape[0]}`;
  const four = [];
  for (const example of about.examples.slice(0, 4)) four.push((await model.ask("encode", Uint8Array.from(example))).latents);
  const [a, b] = [byId("angle-a"), byId("angle-b")];
  const large = tile(byId("between"), "");
  byId("between").replaceChildren(large.button.firstChild);

  const show = newestOnly(async (stale) => {
    for (const angle of [a, b]) byId(`${angle.id}-value`).textContent = `${angle.value}°`;
    Object.assign(byId("point").style, {left: placed(b.value), top: placed(a.value)});
    const pixels = await model.decode(mixed(four, a.value, b.value));
    if (await stale()) return;
    large.show(pixels, about);
    byId("between").onclick = () => look(pixels, `the point ${a.value}°, ${b.value}°`, true);
  });
  a.oninput = b.oninput = show;

  const map = byId("map");
  const move = (event) => {
    const {left, top, width, height} = map.getBoundingClientRect();
    b.value = angleAt((event.clientX - left) / width);
    a.value = angleAt((event.clientY - top) / height);
    show();
  };
  map.onpointermove = move;
  map.onpointerdown = move;
  await show();
  await paintMap(model, about, four);
}

/** Latents of the point at two angles in degrees. */
function mixed(four, a, b) {
  const [ca, sa] = [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)];
  const [cb, sb] = [Math.cos((b * Math.PI) / 180), Math.sin((b * Math.PI) / 180)];
  const factors = [ca * cb, ca * sb, sa * cb, sa * sb];
  return four[0].map((_, i) => factors.reduce((sum, factor, k) => sum + factor * four[k][i], 0));
}

/** The centre of a cell is where its angle is: the first half of the first cell is before 0. */
const angleAt = (share) => Math.min(360, Math.max(0, 360 * (share - 0.5 / CELLS)));
const placed = (angle) => `${100 * ((Number(angle) % 360) / 360 + 0.5 / CELLS)}%`;

async function paintMap(model, about, four) {
  const canvas = byId("map-picture");
  const [height, width, channels] = about.shape;
  const whole = new Uint8Array(CELLS * CELLS * height * width * channels);
  const row = width * channels;
  for (let i = 0; i < CELLS; i++) {
    for (let j = 0; j < CELLS; j++) {
      const pixels = await model.decode(mixed(four, (360 * i) / CELLS, (360 * j) / CELLS));
      for (let y = 0; y < height; y++)
        whole.set(pixels.subarray(y * row, (y + 1) * row), ((i * height + y) * CELLS + j) * row);
    }
    paintPicture(canvas, whole, [CELLS * height, CELLS * width, channels], about.levels);
    await new Promise((resolve) => setTimeout(resolve));
  }
  const quarter = CELLS / 4;
  for (const i of [0, quarter, 2 * quarter, 3 * quarter])
    for (const j of [0, quarter, 2 * quarter, 3 * quarter])
      if ((i < 2 * quarter) === (j < 2 * quarter)) frame(i, j);
}

/** A frame about a cell of the map. */
function frame(i, j) {
  const style = `left:${(100 * j) / CELLS}%;top:${(100 * i) / CELLS}%;width:${100 / CELLS}%;height:${100 / CELLS}%`;
  byId("map").insertAdjacentHTML("beforeend", `<i class="frame" style="${style}"></i>`);
}
