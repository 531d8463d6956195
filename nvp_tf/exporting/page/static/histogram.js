// A picture's bits/dim among those of held-out ones.

const [WIDTH, HEIGHT, FOOT, BINS] = [400, 120, 18, 30];

/** Draws into an SVG of 400 x 120; sorted: the held-out values. */
export function histogram(svg, sorted, value) {
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  const shown = Number.isFinite(value);
  const margin = 0.05 * (last - first || 1);
  const low = Math.min(first, shown ? value : first) - margin;
  const high = Math.max(last, shown ? value : last) + margin;
  const x = (bits) => ((bits - low) / (high - low)) * WIDTH;
  const counts = new Array(BINS).fill(0);
  const bin = (bits) => Math.min(BINS - 1, Math.floor(((bits - first) / (last - first || 1)) * BINS));
  for (const bits of sorted) counts[bin(bits)]++;
  const scale = (HEIGHT - FOOT - 6) / Math.max(...counts);
  const step = (last - first || 1) / BINS;
  const bars = counts.map((count, i) => {
    const [left, right] = [x(first + i * step), x(first + (i + 1) * step)];
    return `<rect x="${left}" width="${Math.max(0.5, right - left - 0.5)}" y="${HEIGHT - FOOT - count * scale}" height="${count * scale}"/>`;
  });
  const marks = [first, last].map((bits) => mark(x(bits), bits.toFixed(2)));
  const line = shown ? `<line x1="${x(value)}" x2="${x(value)}" y1="0" y2="${HEIGHT - FOOT}"/>` : "";
  svg.innerHTML = bars.join("") + marks.join("") + line;
}

function mark(x, text) {
  const anchor = x < 40 ? "start" : x > WIDTH - 40 ? "end" : "middle";
  return `<text x="${x}" y="${HEIGHT - 3}" text-anchor="${anchor}">${text}</text>`;
}
