// What the sections share.
import {paintPicture} from "./paint.js";

export const byId = (id) => document.getElementById(id);

/** A button with a picture: {button, show(pixels, about)}. */
export function tile(parent, label) {
  const button = Object.assign(document.createElement("button"), {type: "button", className: "picture"});
  button.ariaLabel = label;
  const canvas = button.appendChild(document.createElement("canvas"));
  parent.append(button);
  return {button, show: (pixels, {shape, levels}) => paintPicture(canvas, pixels, shape, levels)};
}

/** `work` so that a later call ends an earlier one: it asks `await stale()`, which also lets the browser draw. */
export function newestOnly(work) {
  let newest = 0;
  return (...given) => {
    const own = ++newest;
    let last = performance.now();
    return work(async () => {
      if (performance.now() - last > 12) {
        await new Promise((resolve) => setTimeout(resolve));
        last = performance.now();
      }
      return own !== newest;
    }, ...given);
  };
}
