// A picture file as the model's pixels: as `nvp_tf score --fit` brings it, the smaller side scaled, the centre cut out.
import {Told} from "./model.js";

const MOST_PIXELS = 2 ** 24; // of a canvas on a telephone

/** Uint8Array [height, width, channels] of a file or blob; refuses in a sentence. */
export async function readPicture(file, shape, levels) {
  const {width, height} = await sizeOf(file);
  if (width * height > MOST_PIXELS)
    throw new Told(`${file.name} has ${width}×${height} pixels, expected at most ${MOST_PIXELS} in all.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {colorSpaceConversion: "none"});
  } catch {
    throw new Told(`${file.name} cannot be read, expected a whole picture.`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return fitted(context.getImageData(0, 0, width, height), shape, levels);
}

/** The model's pixels of an ImageData. */
export function fitted({data, width, height}, [rows, columns, channels], levels) {
  const scale = rows / height > columns / width ? (side) => (side * rows) / height : (side) => (side * columns) / width;
  const [w, h] = [Math.max(columns, rounded(scale(width))), Math.max(rows, rounded(scale(height)))];
  const planes = (channels === 3 ? [0, 1, 2] : [null]).map((c) => resized(plane(data, c), width, height, w, h));
  const [left, top] = [Math.floor((w - columns) / 2), Math.floor((h - rows) / 2)];
  const pixels = new Uint8Array(rows * columns * channels);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let c = 0; c < channels; c++) {
        const value = planes[c][(top + y) * w + left + x];
        pixels[(y * columns + x) * channels + c] = levels === 256 ? value : rounded((value * (levels - 1)) / 255);
      }
  return pixels;
}

/** Its sides, of the header alone: nothing is decoded yet. */
function sizeOf(file) {
  const url = URL.createObjectURL(file);
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve({width: image.naturalWidth, height: image.naturalHeight});
    image.onerror = () => reject(new Told(`${file.name} cannot be read, expected a picture.`));
    image.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

/** One channel of RGBA, or Pillow's grey of the three. */
function plane(data, channel) {
  const values = new Uint8Array(data.length / 4);
  for (let i = 0; i < values.length; i++) {
    const [r, g, b] = [4 * i, 4 * i + 1, 4 * i + 2];
    values[i] = channel === null ? (19595 * data[r] + 38470 * data[g] + 7471 * data[b] + 0x8000) >> 16 : data[r + channel];
  }
  return values;
}

/** As Python and NumPy round: halves to even. */
function rounded(value) {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below % 2) : Math.round(value);
}

/** Pillow's bilinear resampling of 8 bits: a triangle as wide as what becomes one pixel, first across, then down. */
function resized(values, width, height, w, h) {
  if (w !== width) values = along(values, weights(width, w), height, width, 1, w, 1, w);
  return h === height ? values : along(values, weights(height, h), w, 1, w, h, w, 1);
}

/** Sums along one axis of `lines` lines; steps: between lines and entries, of what comes in and of what goes out. */
function along(values, taps, lines, lineIn, stepIn, entries, stepOut, lineOut) {
  const out = new Uint8Array(lines * entries);
  for (let line = 0; line < lines; line++)
    taps.forEach(({first, factors}, entry) => {
      let sum = 2 ** 21;
      for (let k = 0; k < factors.length; k++) sum += values[line * lineIn + (first + k) * stepIn] * factors[k];
      out[line * lineOut + entry * stepOut] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22)));
    });
  return out;
}

/** Of each of `to` entries the first of `from` that it is made of, and their weights in units of 2^-22. */
function weights(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  return Array.from({length: to}, (_, entry) => {
    const centre = (entry + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(from, Math.floor(centre + support + 0.5));
    const near = Array.from({length: end - first}, (_, k) => Math.max(0, 1 - Math.abs((first + k - centre + 0.5) / support)));
    const sum = near.reduce((a, b) => a + b);
    return {first, factors: near.map((weight) => Math.floor((weight / sum) * 2 ** 22 + 0.5))};
  });
}
