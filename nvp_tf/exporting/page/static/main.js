// The page: loads the model, and wires its sections one after the other, what is seen first first.
import {betweenSection} from "./between.js";
import {drawSection} from "./draw.js";
import {lookSection} from "./look.js";
import {Model, Told, loadAbout} from "./model.js";
import {byId} from "./page.js";
import {scalesSection} from "./scales.js";

const status = byId("status");

async function main() {
  const about = await loadAbout();
  describe(about);
  const page = {about, model: await Model.load(about)};
  page.look = lookSection(page, scalesSection(page));
  await drawSection(page);
  status.hidden = true;
  await page.look(Uint8Array.from(about.examples[0]), "held-out picture 1");
  await betweenSection(page);
  window.page = page; // for a console, and for tests
}

function describe({name, data, shape, levels, version, created, litertjs}) {
  const [height, width, channels] = shape;
  document.title = `${name}: a density to touch`;
  byId("about").textContent =
    `A model of ${data ?? name}, ${width}×${height} pixels ${channels === 3 ? "in colour" : "of grey"}, ` +
    "that tells how likely a picture is, exactly, and draws new ones.";
  byId("export").textContent = `Export ${name}, version ${version}, of ${created.slice(0, 10)}; a pixel has ${levels} values.`;
  byId("litertjs").textContent = litertjs;
}

window.onunhandledrejection = ({reason}) => failed(reason);
main().catch(failed);

function failed(error) {
  status.hidden = false;
  status.classList.add("failed");
  status.textContent = error instanceof Told ? error.message : `The page does not work here: ${error.message ?? error}`;
}
