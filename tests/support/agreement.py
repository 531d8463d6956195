"""How far the scores of one export are from the live model's, door by door and batch size by batch size.

log_prob in nats, and the p-value `foreign`, which differs by whole ranks: by 1 / (m + 1) where a last digit passes one
of m held-out examples.

python tests/support/agreement.py RUN_DIR MODEL   prints it as JSON for 1,000 held-out examples of a trained run
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path += [str(Path(__file__).parent)]
import c_api_client
import numpy as np
import tensorflow as tf
from commands import figures
from servers import addresses, stand_in

BATCHES, NAMES = (1, 7, 256), ("log_prob", "foreign")
LITE = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
model, examples, answers, *batches = sys.argv[1:]
interpreter, x, found = Interpreter(model), np.load(examples), {}
[name] = interpreter.get_signature_list()["score"]["inputs"]
for batch in map(int, batches):
    run = interpreter.get_signature_runner("score")
    parts = [run(**{name: x[i : i + batch]}) for i in range(0, len(x), batch)]
    parts = [{key: values.copy() for key, values in part.items()} for part in parts]
    found |= {f"by_{batch}/{key}": np.concatenate([part[key] for part in parts]) for key in parts[0]}
np.savez(answers, **found)
"""


def differences(flow, x, model, reference) -> dict:
    """{door: {batch size: {score: the largest difference from the live model's}}}.

    Args:
      flow, reference: the live model, and what its export holds an example against.
      x: [n, *event_shape].
      model: the export's version folder; with model.tflite for that door.
    """
    log_prob = np.concatenate([flow.log_prob(x[i : i + 100]).numpy() for i in range(0, len(x), 100)])
    live = {"log_prob": log_prob, "foreign": reference.foreign.p_value(x, log_prob).numpy()}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.save(folder / "x.npy", x)
        with stand_in("model", model) as (_, ports):
            grpc, rest = addresses(ports)
            doors = {
                "SavedModel": [f"--model={model}"],
                "gRPC": [f"--server={grpc}", "--model=model"],
                "REST": [f"--server={rest}", "--model=model"],
            }
            for door, arguments in doors.items():
                found[door] = {batch: _table(folder, arguments, batch) for batch in BATCHES}
        libraries = Path(tf.__file__).parent
        _consume([c_api_client.__file__, libraries, model, folder / "x.npy", folder / "c.npz"])
        answers = np.load(folder / "c.npz")
        found["C API"] = {batch: _scores(answers, batch) for batch in BATCHES}
        if (Path(model) / "model.tflite").exists():
            _consume(["-c", LITE, Path(model) / "model.tflite", folder / "x.npy", folder / "l.npz", *BATCHES])
            answers = np.load(folder / "l.npz")
            found["TFLite"] = {batch: _scores(answers, batch) for batch in BATCHES}
    return {
        door: {
            batch: {name: float(np.abs(scores[name] - values).max()) for name, values in live.items()}
            for batch, scores in by_batch.items()
        }
        for door, by_batch in found.items()
    }


def _table(folder, arguments, batch):
    figures("score", *arguments, f"--batch_size={batch}", f"--out={folder / 's.csv'}", "--noprogress", folder / "x.npy")
    with open(folder / "s.csv", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: np.array([float(row[name]) for row in rows]) for name in NAMES}


def _scores(answers, batch):
    return {name: answers[f"by_{batch}/{name}"] for name in NAMES}


def _consume(arguments):
    subprocess.run([sys.executable, "-I", *map(str, arguments)], check=True, capture_output=True)


if __name__ == "__main__":
    from nvp_tf.data.pipeline import evaluation_batches
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.evaluation.evaluator import reference_of
    from nvp_tf.runs.run_dir import RunDir

    run = RunDir(sys.argv[1])
    flow, dataset = run.load_flow(), load_dataset(run.config.data)
    x = np.concatenate(list(evaluation_batches(dataset.test, 100, 1000)))
    print(json.dumps({"examples": len(x)} | differences(flow, x, sys.argv[2], reference_of(flow, dataset))))
