"""A stranger with a .tflite file: ai_edge_litert, NumPy and nothing else. Run as a script.

python -I lite_client.py MODEL.tflite EXAMPLES.npy ANSWERS.npz QUESTIONS.json

Asks every question about the examples, what it makes of broken latents and of noise, writes what it answers, and
prints one line of JSON: examples scored a second, and the packages loaded.
"""

import json
import os
import sys
import time

import numpy as np

DRAWN = 8
TEMPERATURE = np.float32(0.8)


def main(model: str, examples: str, answers: str, questions: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=os.cpu_count())
    with open(questions, encoding="utf-8") as file:
        to_ask = json.load(file)
    about: dict[str, np.ndarray] = {"values": np.load(examples)}
    asked: dict[str, dict[str, np.ndarray]] = {}
    seconds: dict[str, float] = {}

    def ask(signature: str, values: np.ndarray, key: str, batch: int) -> dict[str, np.ndarray]:
        """The outputs as arrays, of `batch` rows at a time."""
        run = interpreter.get_signature_runner(signature)
        parts = [run(**{key: values[i : i + batch]}) for i in range(0, len(values), batch)]
        return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}

    for question in sorted(to_ask, key=lambda question: question["name"] == "log_prob"):  # last: it is timed, warm
        rows, start = about[question["about"]][: question["rows"]], time.perf_counter()
        asked[question["name"]] = ask(question["signature"], rows, question["input"], question["batch"])
        seconds[question["name"]] = time.perf_counter() - start
        about = asked[question["name"]] | about  # what came first stays
    latents = about["latents"]
    broken = np.resize(latents, (3, latents.shape[1]))
    broken[0, 0], broken[1, -1] = np.nan, np.inf
    asked["broken"] = ask("decode", broken, "latents", len(broken))
    noise, sample = draws(latents.shape[1]), interpreter.get_signature_runner("sample")
    asked["sample"] = sample(noise=noise, temperature=TEMPERATURE)
    asked["frozen"] = sample(noise=noise, temperature=np.float32(0))
    arrays = {f"{what}/{output}": array for what, outputs in asked.items() for output, array in outputs.items()}
    np.savez(answers, allow_pickle=False, **arrays)
    packages = sorted({module.split(".")[0] for module in sys.modules})
    speed = len(about["values"]) / seconds["log_prob"]
    print(json.dumps({"images_per_second": round(speed, 1), "packages": packages}))


def draws(dimensions: int) -> np.ndarray:
    """What `sample` is asked about: [n, D]."""
    return np.random.default_rng(2018).standard_normal((DRAWN, dimensions), np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
