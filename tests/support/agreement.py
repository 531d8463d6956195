"""How far the scores of one export are from the live model's, door by door and batch size by batch size.

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

BATCHES = (1, 7, 256)
LITE = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
model, examples, answers, *batches = sys.argv[1:]
interpreter, x, found = Interpreter(model), np.load(examples), {}
[name] = interpreter.get_signature_list()["log_prob"]["inputs"]
for batch in map(int, batches):
    run = interpreter.get_signature_runner("log_prob")
    found[f"by_{batch}"] = np.concatenate(
        [run(**{name: x[i : i + batch]})["log_prob"] for i in range(0, len(x), batch)])
np.savez(answers, **found)
"""


def differences(flow, x, model) -> dict:
    """{door: {batch size: the largest difference of log_prob from the live model's, nats}}.

    Args:
      flow: the live model.
      x: [n, *event_shape].
      model: the export's version folder; with model.tflite for that door.
    """
    live = np.concatenate([flow.log_prob(x[i : i + 100]).numpy() for i in range(0, len(x), 100)])
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
        found["C API"] = {batch: answers[f"by_{batch}/log_prob"] for batch in BATCHES}
        if (Path(model) / "model.tflite").exists():
            _consume(["-c", LITE, Path(model) / "model.tflite", folder / "x.npy", folder / "l.npz", *BATCHES])
            answers = np.load(folder / "l.npz")
            found["TFLite"] = {batch: answers[f"by_{batch}"] for batch in BATCHES}
    return {
        door: {batch: float(np.abs(scores - live).max()) for batch, scores in by_batch.items()}
        for door, by_batch in found.items()
    }


def _table(folder, arguments, batch):
    figures("score", *arguments, f"--batch_size={batch}", f"--out={folder / 's.csv'}", "--noprogress", folder / "x.npy")
    with open(folder / "s.csv", newline="") as lines:
        return np.array([float(row["log_prob"]) for row in csv.DictReader(lines)])


def _consume(arguments):
    subprocess.run([sys.executable, "-I", *map(str, arguments)], check=True, capture_output=True)


if __name__ == "__main__":
    from nvp_tf.data.pipeline import evaluation_batches
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.runs.run_dir import RunDir

    run = RunDir(sys.argv[1])
    x = np.concatenate(list(evaluation_batches(load_dataset(run.config.data).test, 100, 1000)))
    print(json.dumps({"examples": len(x)} | differences(run.load_flow(), x, sys.argv[2])))
