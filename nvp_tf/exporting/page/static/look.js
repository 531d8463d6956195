// How likely a picture is: dropped, drawn, held out or made by the model.
import {histogram} from "./histogram.js";
import {Told} from "./model.js";
import {byId, newestOnly, tile} from "./page.js";
import {paintMap, paintPicture} from "./paint.js";
import {readPicture} from "./picture.js";
import {sketchSheet} from "./sketch.js";

// What is said of an output of `score`, in this order; others are shown by their names.
const MEANINGS = {
  foreign: "the share of the data's own pictures that look at least as foreign; small: not of the data's kind",
  typicality: "the share of the data's own pictures whose bits/dim are at least as unusual",
};
const NOT_VALUES = ["log_prob", "bits_per_dim", "percentile"];

/** Wires the section; gives look(pixels, name, scroll), which shows a picture and tells `seen(latents)`. */
export function lookSection({model, about}, seen) {
  const {shape, levels} = about;
  const refuse = (sentence) => (byId("refused").textContent = sentence);

  const look = newestOnly(async (stale, pixels, name, scroll = false) => {
    refuse("");
    if (scroll) byId("look-title").scrollIntoView();
    byId("own-name").textContent = name;
    paintPicture(byId("own"), pixels, shape, levels);
    const scores = await model.ask("score", pixels);
    const {latents} = await model.ask("encode", pixels);
    const back = await model.decode(latents);
    const explained = model.has("explain") ? await model.ask("explain", pixels) : null;
    if (await stale()) return;
    showScores(scores, about);
    showMaps(latents, back, pixels, explained, about);
    seen(latents);
  });
  const read = async (file) => {
    if (!file) return;
    try {
      await look(await readPicture(file, shape, levels), file.name);
    } catch (error) {
      if (!(error instanceof Told)) throw error;
      refuse(error.message);
    }
  };
  byId("file").onchange = ({target}) => read(target.files[0]).finally(() => (target.value = ""));
  takeDrops(read);
  sketchSheet(about, (pixels) => look(pixels, "your drawing"));
  about.examples.forEach((example, i) => {
    const {button, show} = tile(byId("held-out"), `Look at held-out picture ${i + 1}`);
    show(example, about);
    button.onclick = () => look(Uint8Array.from(example), `held-out picture ${i + 1}`);
  });
  return look;
}

/** Pictures dropped anywhere on the page: a miss would leave it for the picture. */
function takeDrops(read) {
  const mark = (on) => byId("drop").classList.toggle("over", on);
  document.ondragover = (event) => (event.preventDefault(), mark(true));
  document.ondragleave = () => mark(false);
  document.ondrop = (event) => {
    event.preventDefault();
    mark(false);
    read(event.dataTransfer.files[0]);
  };
}

function showScores(scores, about) {
  const bits = scores.bits_per_dim[0];
  const held = about.bits_per_dim;
  const quantile = (share) => held[Math.round(share * (held.length - 1))].toFixed(2);
  byId("score").textContent = `${bits.toFixed(2)} bits/dim, log_prob ${scores.log_prob[0].toFixed(2)} nats.`;
  byId("among").textContent =
    `Of ${held.length} held-out pictures ${scores.percentile[0].toFixed(0)} % are less likely; ` +
    `they have ${quantile(0)} to ${quantile(1)} bits/dim, half of them below ${quantile(0.5)}.`;
  histogram(byId("histogram"), held, bits);
  const named = Object.keys(MEANINGS).filter((name) => name in scores);
  const names = [...named, ...Object.keys(scores).filter((name) => !NOT_VALUES.includes(name) && !named.includes(name))];
  byId("values").replaceChildren(...names.flatMap((name) => valueRow(name, scores[name][0])));
}

function valueRow(name, value) {
  const [term, meaning] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  const number = Object.assign(document.createElement("b"), {textContent: value < 0.001 ? value.toPrecision(1) : value.toFixed(3)});
  const words = Object.assign(document.createElement("span"), {className: "quiet", textContent: MEANINGS[name] ?? ""});
  meaning.append(number, " ", words);
  return [term, meaning];
}

function showMaps(latents, back, pixels, explained, {shape, levels}) {
  const [height, width, channels] = shape;
  paintPicture(byId("returned"), back, shape, levels);
  const changed = back.reduce((count, value, i) => count + (value !== pixels[i]), 0);
  byId("round-trip").textContent =
    changed ? `decoded again: ${changed} of ${pixels.length} values differ` : `decoded again: all ${pixels.length} values are back`;
  // Channels side by side: latents have the picture's shape.
  const beside = Float32Array.from(latents, (_, at) => {
    const [row, c, column] = [Math.floor(at / (width * channels)), Math.floor(at / width) % channels, at % width];
    return latents[(row * width + column) * channels + c];
  });
  paintMap(byId("latents"), beside, height, width * channels, -3, 3, true);
  for (const figure of document.querySelectorAll(".explained")) figure.hidden = !explained;
  if (!explained) return;
  const {excess, bits = excess} = explained; // one tensor, of one name, where an export knows nothing usual
  const [low, high] = [Math.min(...bits), Math.max(...bits)];
  paintMap(byId("bits"), bits, height, width, low, high);
  const most = Math.max(...excess.map(Math.abs));
  paintMap(byId("excess"), excess, height, width, -most, most, true);
  const ends = {"bits-low": low, "bits-high": high, "excess-low": -most, "excess-high": most};
  for (const [id, value] of Object.entries(ends)) byId(id).textContent = value.toFixed(1).replace("-", "−");
}
