// Draws of the prior that a seed repeats; others than the SavedModel's of that seed.

/** Uniform numbers in (0, 1) (mulberry32). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/** Float32Array [count] of a prior, "normal" or "logistic". */
export function draws(prior, count, seed) {
  const next = uniform(Math.imul(seed, 0x9e3779b1));
  const one = {
    normal: () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()),
    logistic: () => {
      const u = next();
      return Math.log(u / (1 - u));
    },
  }[prior];
  return Float32Array.from({length: count}, one);
}
