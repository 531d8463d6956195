// A sheet to draw on, black as the background of digits and clothes is.
import {byId} from "./page.js";
import {fitted} from "./picture.js";

/** done(pixels): after each stroke. */
export function sketchSheet({shape, levels}, done) {
  const sheet = byId("sketch");
  const [height, width, channels] = shape;
  sheet.width = Math.round((sheet.height * width) / height);
  const context = sheet.getContext("2d", {willReadFrequently: true});
  const clear = () => context.fillRect(0, 0, sheet.width, sheet.height);
  Object.assign(context, {fillStyle: "black", lineWidth: sheet.height / 10, lineCap: "round", lineJoin: "round"});
  clear();
  byId("clear").onclick = clear;
  byId("colour-label").hidden = channels !== 3;

  const at = (event) => {
    const {left, top, width: shown} = sheet.getBoundingClientRect();
    const scale = sheet.width / shown;
    return [(event.clientX - left) * scale, (event.clientY - top) * scale];
  };
  const stroke = (event) => {
    context.lineTo(...at(event));
    context.stroke();
  };
  sheet.onpointerdown = (event) => {
    sheet.setPointerCapture(event.pointerId);
    context.strokeStyle = byId("colour").value;
    context.beginPath();
    context.moveTo(...at(event));
    stroke(event);
  };
  sheet.onpointermove = (event) => event.buttons && stroke(event);
  sheet.onpointerup = () => done(fitted(context.getImageData(0, 0, sheet.width, sheet.height), shape, levels));
}
