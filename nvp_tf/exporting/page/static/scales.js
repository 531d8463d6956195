// A picture without the latents of some scales (figures 5.15 and 5.16 of Dinh's thesis).
import {byId, newestOnly} from "./page.js";
import {paintPicture} from "./paint.js";
import {draws} from "./random.js";

/** Wires the section; gives seen(latents), of the picture that it is about. */
export function scalesSection({model, about}) {
  const count = Math.max(...about.scales) + 1;
  byId("scales").hidden = count === 1;
  const noise = draws(about.prior, about.scales.length, 1);
  let latents = null;
  const boxes = Array.from({length: count}, (_, scale) => {
    const share = about.scales.filter((own) => own === scale).length / about.scales.length;
    const name = ["finest", "second", "third", "fourth", "fifth"][scale] ?? `${scale + 1}th`;
    const label = byId("scale-boxes").appendChild(document.createElement("label"));
    const box = Object.assign(document.createElement("input"), {type: "checkbox", checked: true});
    label.append(box, ` ${scale && scale === count - 1 ? "coarsest" : name}: ${percent(share)} of the latents`);
    return box;
  });
  const show = newestOnly(async (stale) => {
    if (!latents) return;
    const filler = document.querySelector("[name=rest][value=noise]").checked ? noise : null;
    const on = about.scales.map((scale) => boxes[scale].checked);
    const pixels = await model.decode(latents.map((value, i) => (on[i] ? value : filler ? filler[i] : 0)));
    if (await stale()) return;
    paintPicture(byId("kept"), pixels, about.shape, about.levels);
    byId("kept-share").textContent = `from ${percent(on.filter(Boolean).length / on.length)} of its latents`;
  });
  byId("scales").onchange = show;
  return (seen) => {
    latents = seen;
    show();
  };
}

const percent = (share) => `${Number((100 * share).toFixed(1))} %`;
