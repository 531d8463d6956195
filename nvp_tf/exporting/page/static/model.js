// The model: its file by LiteRT.js, a signature at a time.
import {Tensor, loadAndCompile, loadLiteRt} from "./runtime/litert.js";

/** What a person is told, in a sentence. */
export class Told extends Error {}

export async function loadAbout() {
  return JSON.parse(new TextDecoder().decode(await fetched("model.json")));
}

export class Model {
  /** about: what model.json says. */
  static async load(about) {
    const [content] = await Promise.all([fetched(about.file), started()]);
    try {
      return new Model((await loadAndCompile(content, {accelerator: "wasm"})).signatures);
    } catch (error) {
      throw new Told(`The model's file ${about.file} is damaged, or is none that this runtime can read: ${error.message}`);
    }
  }

  constructor(signatures) {
    this.signatures = signatures;
  }

  has(name) {
    return name in this.signatures;
  }

  /** The outputs by name, typed arrays; values: a typed array of one example. */
  async ask(name, values) {
    const runner = this.signatures[name];
    const [input] = runner.getInputDetails();
    const tensor = new Tensor(values, [...input.shape]);
    try {
      const outputs = await runner.run({[input.name]: tensor});
      return Object.fromEntries(Object.entries(outputs).map(([key, output]) => [key, taken(output)]));
    } finally {
      tensor.delete();
    }
  }

  async decode(latents) {
    return (await this.ask("decode", latents)).images;
  }
}

function taken(tensor) {
  const values = tensor.toTypedArray().slice();
  tensor.delete();
  return values;
}

async function started() {
  try {
    await loadLiteRt("./runtime/");
  } catch (error) {
    throw new Told(`LiteRT.js does not start: ${error.message ?? "its files in runtime/ are not there"}.`);
  }
}

async function fetched(file) {
  const whole = "expected the whole folder that nvp_tf page wrote";
  let answer;
  try {
    answer = await fetch(file);
  } catch (error) {
    throw new Told(`${file} cannot be fetched, ${whole}: ${error.message}.`);
  }
  if (!answer.ok) throw new Told(`${file} is not there (${answer.status}), ${whole}.`);
  return new Uint8Array(await answer.arrayBuffer());
}
