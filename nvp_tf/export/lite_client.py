"""A stranger with a .tflite file: ai_edge_litert, NumPy and nothing else. Run as a script.

python -I lite_client.py MODEL.tflite EXAMPLES.npy ANSWERS.npz

Asks every signature about the examples, writes what it answers, and prints one line of JSON:
examples scored a second, and the packages loaded.
"""

import json
import os
import sys
import time

import numpy as np

FEW, DRAWN = 16, 8
TEMPERATURE = np.float32(0.8)


def main(model, examples, answers):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=os.cpu_count())
    x = np.load(examples)
    [values] = interpreter.get_signature_list()["log_prob"]["inputs"]

    def ask(signature, values, batch=None, key=values):
        """The outputs as arrays, of `batch` rows at a time."""
        run, batch = interpreter.get_signature_runner(signature), batch or len(values)
        parts = [run(**{key: values[i : i + batch]}) for i in range(0, len(values), batch)]
        return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}

    asked = {"by_one": ask("log_prob", x[:FEW], batch=1), "by_seven": ask("log_prob", x[:FEW], batch=7)}
    start = time.perf_counter()
    asked["log_prob"] = ask("log_prob", x)
    speed = len(x) / (time.perf_counter() - start)
    asked |= {"score": ask("score", x), "encode": ask("encode", x)}
    latents = asked["encode"]["latents"]
    broken = np.resize(latents, (3, latents.shape[1]))
    broken[0, 0], broken[1, -1] = np.nan, np.inf
    asked |= {"decode": ask("decode", latents, key="latents"), "broken": ask("decode", broken, key="latents")}
    noise, sample = draws(latents.shape[1]), interpreter.get_signature_runner("sample")
    asked["sample"] = sample(noise=noise, temperature=TEMPERATURE)
    asked["frozen"] = sample(noise=noise, temperature=np.float32(0))
    arrays = {f"{what}/{output}": array for what, outputs in asked.items() for output, array in outputs.items()}
    np.savez(answers, **arrays)
    packages = sorted({module.split(".")[0] for module in sys.modules})
    print(json.dumps({"images_per_second": round(speed, 1), "packages": packages}))


def draws(dimensions):
    """What `sample` is asked about: [n, D]."""
    return np.random.default_rng(2018).standard_normal((DRAWN, dimensions), np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
