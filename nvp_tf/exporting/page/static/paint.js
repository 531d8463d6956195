// Numbers as pictures on canvases. The scales of colours are told apart by colour-blind people, too.

const VIRIDIS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const PURPLE_ORANGE = ["#2d004b", "#542788", "#998ec3", "#d8daeb", "#f7f7f7", "#fee0b6", "#f1a340", "#b35806", "#7f3b08"];

/** pixels: integers below `levels`, [height, width, channels] of `shape`. */
export function paintPicture(canvas, pixels, [height, width, channels], levels) {
  const factor = 255 / (levels - 1);
  const channel = (pixel, c) => Math.round(pixels[pixel * channels + (channels === 3 ? c : 0)] * factor);
  fill(canvas, height, width, (pixel) => [channel(pixel, 0), channel(pixel, 1), channel(pixel, 2)]);
}

/** values [height, width] from low to high; diverging: about 0, which is white. */
export function paintMap(canvas, values, height, width, low, high, diverging = false) {
  const colours = (diverging ? PURPLE_ORANGE : VIRIDIS).map(parsed);
  const range = Math.max(high - low, 1e-12);
  fill(canvas, height, width, (pixel) => {
    const at = Math.min(1, Math.max(0, (values[pixel] - low) / range)) * (colours.length - 1);
    const i = Math.min(Math.floor(at), colours.length - 2);
    return colours[i].map((from, c) => from + (at - i) * (colours[i + 1][c] - from));
  });
}

function fill(canvas, height, width, colour) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel++) image.data.set([...colour(pixel), 255], 4 * pixel);
  context.putImageData(image, 0, 0);
}

function parsed(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}
