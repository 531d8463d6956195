"""A stranger with a SavedModel: TensorFlow, NumPy and nothing of this package. Run as a script.

python -I client.py MODEL EXAMPLES.npy ANSWERS.npz

Asks every signature about the examples, writes what it answers, and prints one line of JSON: the
seconds from the process' start to the first score, examples scored a second, and the packages loaded.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
BATCH, FEW = 256, 16
DRAW = {"num_samples": 8, "seed": 2018, "temperature": 0.8}
NOISE = {"num_samples": 4, "seed": 7}


def main(model, examples, answers):
    import json

    import numpy as np
    import tensorflow as tf

    signatures = tf.saved_model.load(model).signatures
    x = np.load(examples)
    [name] = signatures["log_prob"].structured_input_signature[1]
    types = {"num_samples": tf.int32, "seed": tf.int64, "temperature": tf.float32}

    def ask(signature, values=None, batch=BATCH, key=name, **scalars):
        """The outputs as arrays; of all the values, `batch` at a time."""
        scalars = {scalar: tf.constant(value, types[scalar]) for scalar, value in scalars.items()}
        if values is None:
            batches = [{}]
        else:
            batches = [{key: tf.constant(values[i : i + batch])} for i in range(0, max(1, len(values)), batch)]
        parts = [signatures[signature](**values, **scalars) for values in batches]
        return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}

    ask("log_prob", x[:1])
    first_score = time.time() - _start_of_process()
    ask("log_prob", x[:BATCH])
    start = time.perf_counter()
    scores = ask("log_prob", x)
    speed = len(x) / (time.perf_counter() - start)
    latents = ask("encode", x)["latents"]
    asked = {
        "log_prob": scores,
        "serving_default": ask("serving_default", x[:FEW]),
        "by_seven": ask("log_prob", x[:FEW], batch=7),
        "by_one": ask("log_prob", x[:FEW], batch=1),
        "score": ask("score", x),
        "encode": {"latents": latents},
        "decode": ask("decode", latents, key="latents"),
        "sample": ask("sample", **DRAW),
        "again": ask("sample", **DRAW),
        "fresh": ask("sample", **(DRAW | {"seed": -1})),
        "log_prob_with_noise": ask("log_prob_with_noise", x[:FEW], **NOISE),
        "empty_scores": ask("score", x[:0]),
        "empty_encode": ask("encode", x[:0]),
        "empty_decode": ask("decode", latents[:0], key="latents"),
        "empty_noise": ask("log_prob_with_noise", x[:0], **NOISE),
        "empty_sample": ask("sample", **(DRAW | {"num_samples": 0})),
    }
    arrays = {f"{what}/{output}": array for what, outputs in asked.items() for output, array in outputs.items()}
    np.savez(answers, **arrays)
    told = {
        "seconds_to_first_score": round(first_score, 2),
        "images_per_second": round(speed, 1),
        "signatures": sorted(signatures),
        "packages": sorted({module.split(".")[0] for module in sys.modules}),
    }
    print(json.dumps(told))


def _start_of_process():
    """Unix time at which this process began."""
    with open("/proc/self/stat") as file:
        ticks = float(file.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime") as file:
        up = float(file.read().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:])
