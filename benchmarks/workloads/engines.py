"""Which signatures of an export other engines than TensorFlow answer, and how far from it."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks import engines, machine, report
from benchmarks.process import Worker
from nvp_tf.errors import UserError
from nvp_tf.markdown import table
from nvp_tf.scoring.contract import LATENTS, SIGNATURES, newest_version

SIZES = (256, 7, 1, 0)  # rows: of one model each, without converting it anew
SCALARS = {"num_samples": np.int32(4), "seed": np.int64(7), "temperature": np.float32(0.8)}
ASKED = [name for name in SIGNATURES if name != "serving_default"]
ENGINES = ("ONNX Runtime", "OpenVINO, of ONNX", "OpenVINO, of the SavedModel")


def run(run_dir, model, say=print) -> dict:
    """Asks each engine what it asks the SavedModel, about held-out data in batches of 256, 7, 1 and none.

    Args:
      run_dir: the run's folder.
      model: its export, saved_models/NAME or a version of it.
      say: called with lines of progress.

    Returns:
      answers: what `ask` returns; and what the engines are.
    """
    if not engines.PYTHON.exists():
        raise UserError(f"there is no {engines.PYTHON}: `{engines.SETUP}` makes it")
    version = newest_version(model)
    x = engines.held_out(run_dir, max(SIZES))
    return {
        "workload": "engines",
        "model": version.absolute().parent.name,
        "command": f"bin/benchmark.py engines --run_dir={run_dir} --model={model}",
        "event_shape": list(x.shape[1:]),
        "answers": ask(version, x, say),
        "machine": machine.describe(engines.PACKAGES, engines.pythons()),
    }


def ask(version, x, say) -> dict:
    """{signature: {engine: {output: the largest difference from TensorFlow}, or what went wrong}}."""
    answers, latents = {}, None
    with tempfile.TemporaryDirectory() as folder:
        for signature in ASKED:
            say(signature)
            feeds = _feeds(Path(folder), signature, latents if signature == "decode" else x)
            expected = _values("saved_model", {"path": str(version), "signature": signature, "feeds": feeds})
            if signature == "encode":
                latents = expected[str(max(SIZES))]["latents"]
            answers[signature] = _compared(expected, version, signature, feeds, Path(folder) / f"{signature}.onnx")
    return answers


def _feeds(folder, signature, rows):
    """{how many rows: file of the inputs}."""
    scalars, about = SIGNATURES[signature].scalars, SIGNATURES[signature].about
    inputs = {name: SCALARS[name] for name in scalars}
    sizes = SIZES if not scalars else (16,) if about else (SCALARS["num_samples"],)
    key = about and (LATENTS if about == LATENTS else engines.name_of(rows))
    feeds = {}
    for size in sizes:
        feeds[str(size)] = str(folder / f"{signature}-{size}.npz")
        np.savez(feeds[str(size)], **inputs, **({key: rows[:size]} if key else {}))
    return feeds


def _compared(expected, version, signature, feeds, onnx):
    """{engine: {output: largest difference}, or what went wrong}."""
    found = {}
    try:
        engines.to_onnx(version, signature, onnx)
        sources = {"ONNX Runtime": ("onnxruntime", onnx), "OpenVINO, of ONNX": ("openvino", onnx)}
    except UserError as error:
        found, sources = dict.fromkeys(ENGINES[:2], str(error)), {}
    if signature == "log_prob":  # it reads serving_default and no other
        sources["OpenVINO, of the SavedModel"] = ("openvino", version)
    for engine, (contender, path) in sources.items():
        try:
            answers = _values(contender, {"path": str(path), "feeds": feeds}, engines.PYTHON)
        except UserError as error:
            found[engine] = str(error)
            continue
        found[engine] = {
            output: max(_largest(answers[feed][output], expected[feed][output]) for feed in feeds)
            for output in next(iter(expected.values()))
        }
    return found


def _values(*arguments):
    """{feed: {output: array}} of one contender."""
    with Worker(*arguments) as worker:
        return {feed: worker.value(feed) for feed in arguments[1]["feeds"]}


def _largest(found, expected):
    if found.shape != expected.shape:
        raise UserError(f"an engine answers with shape {found.shape}, expected {expected.shape}")
    return float(np.max(np.abs(found.astype(np.float64) - expected), initial=0.0))


def section(result) -> str:
    return f"engines {result['model']}"


def markdown(result) -> str:
    """The section of docs/engines.md."""
    rows, errors = [], {}
    for signature, found in result["answers"].items():
        row = [f"`{signature}`"]
        for engine in ENGINES:
            answer = found.get(engine)
            if isinstance(answer, dict):
                [output, *_] = [name for name in SIGNATURES[signature].outputs if name in answer] or answer
                row.append(f"{answer[output]:.2g}")
            else:
                row.append("no" if engine in found else "–")
                if engine in found:
                    errors.setdefault((signature, answer), []).append(engine)
        rows.append(row)
    shape = "x".join(map(str, result["event_shape"]))
    return "\n\n".join(
        [
            f"### `{result['model']}`, {shape}",
            f"    {result['command']} --markdown=docs/engines.md",
            table(["largest difference from TensorFlow", *ENGINES], rows),
            "\n".join(f"- `{signature}`, {' and '.join(who)}: {error}" for (signature, error), who in errors.items()),
            report.versions(result["machine"]) + ".",
        ]
    )
