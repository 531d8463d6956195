"""A stranger with a SavedModel: TensorFlow, NumPy and nothing of this package. Run as a script.

python -I client.py MODEL EXAMPLES.npy ANSWERS.npz QUESTIONS.json

Asks every question about the examples, writes what it answers, and prints one line of JSON: the
seconds from the process' start to the first score, examples scored a second, and the packages loaded.
"""

import gc
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main(model: str, examples: str, answers: str, questions: str) -> None:
    gc.disable()  # what is imported stays: to look through it for garbage takes as long as half of the import
    import json

    import numpy as np
    import tensorflow as tf

    gc.freeze()
    gc.enable()
    signatures = tf.saved_model.load(model).signatures
    with open(questions, encoding="utf-8") as file:
        to_ask = json.load(file)
    about = {"values": np.load(examples)}

    def ask(
        signature: str,
        about: np.ndarray | None,
        input: str,
        rows: int | None = None,
        batch: int = 256,
        scalars: dict[str, list] | None = None,
        name: str = "",
    ) -> dict[str, np.ndarray]:
        """The outputs as arrays; of all the rows, `batch` at a time."""
        given = {scalar: tf.constant(value, dtype) for scalar, (value, dtype) in (scalars or {}).items()}
        batches: list[dict[str, tf.Tensor]] = [{}]
        if about is not None:
            values = about[:rows]
            batches = [{input: tf.constant(values[i : i + batch])} for i in range(0, max(1, len(values)), batch)]
        parts = [signatures[signature](**values, **given) for values in batches]
        return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}

    x, name = about["values"], to_ask[0]["input"]
    ask("log_prob", x, name, 1)
    first_score = time.time() - _start_of_process()
    found: dict[str, np.ndarray] = {}
    for question in sorted(to_ask, key=lambda question: question["name"] == "log_prob"):  # last: it is timed, warm
        start = time.perf_counter()
        answer = ask(**question | {"about": about.get(question["about"])})
        about |= {key: value for key, value in answer.items() if key == "latents" and key not in about}
        found |= {f"{question['name']}/{output}": array for output, array in answer.items()}
        seconds = time.perf_counter() - start
    np.savez(answers, allow_pickle=False, **found)
    told = {
        "seconds_to_first_score": round(first_score, 2),
        "images_per_second": round(len(x) / seconds, 1),
        "signatures": sorted(signatures),
        "packages": sorted({module.split(".")[0] for module in sys.modules}),
    }
    print(json.dumps(told))


def _start_of_process() -> float:
    """Unix time at which this process began."""
    with open("/proc/self/stat") as file:
        ticks = float(file.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime") as file:
        up = float(file.read().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    # As if they were not installed: Keras looks for them, a third of the time that TensorFlow takes to import.
    sys.modules.update(dict.fromkeys(("matplotlib", "sklearn")))  # type: ignore[arg-type]
    main(*sys.argv[1:])
