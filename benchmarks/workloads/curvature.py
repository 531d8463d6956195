"""Second derivatives of a classifier of digits: what a product takes, and what PyHessian and curvlinops find."""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import machine, peers, report
from benchmarks.process import Worker
from benchmarks.rounds import interleaved
from nvp_tf.errors import UserError
from nvp_tf.markdown import table

EXAMPLES, PROBES, TOP = 512, 99, 5
BATCHES = (256, 1024)  # memory is a line through these two
MOST_MEMORY = 3  # gradients
OURS = "ours"
_PEERS = {
    "curvlinops": {"library": "curvlinops"},
    "PyHessian": {"library": "pyhessian"},
    "curvlinops, float32": {"library": "curvlinops", "dtype": "float32"},
    "PyHessian, float32": {"library": "pyhessian", "dtype": "float32"},
}


def run(rounds=5, seconds=0.0, against=None, say=print) -> dict:
    """Measures ours, and with `against` the same network with the same weights in PyTorch.

    Args:
      rounds: how often a product is timed.
      seconds: for how long each time, at least.
      say: called with lines of progress.

    Returns:
      contenders: of each seconds of a product, of the `TOP` largest eigenvalues and of a trace by `PROBES` products;
      what it found; its peak of memory; and how far its product is from ours.
      memory: bytes an example that a gradient and a product take besides the process, and their ratio. And `checks`.
    """
    with machine.Bystanders() as bystanders, tempfile.TemporaryDirectory() as folder:
        files = _trained(Path(folder), say)
        memory = _memory(files, say)
        with contextlib.ExitStack() as running:
            workers, absent = _start(running, files, against, say)
            jobs = [(name, "product") for name in workers]
            speeds = interleaved(workers, jobs, rounds, seconds, say)
            found = {name: _found(name, worker, speeds, say) for name, worker in workers.items()}
    _compare(found)
    packages = ("tensorflow", "keras", "scipy", "torch", "curvlinops-for-pytorch", "pyhessian", "PyHessian")
    return {
        "workload": "curvature",
        "command": "bin/benchmark.py curvature" + (f" --against={against}" if against else ""),
        "contenders": found,
        "absent": absent,
        "memory": memory,
        "checks": _checks(found, memory),
        "rounds": rounds,
        "machine": machine.describe(
            packages, peers.pythons() if against and peers.PYTHON.exists() else [peers.pythons()[0]]
        ),
        "others": bystanders.share,
    }


def _trained(folder: Path, say) -> dict:
    """A classifier of scikit-learn's digits, trained for a while; its files, with 512 of the images it has seen."""
    import keras
    from sklearn.datasets import load_digits

    say("train the classifier")
    keras.utils.set_random_seed(0)
    layers, conv = keras.layers, {"kernel_size": 3, "padding": "same"}
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(32, **conv), layers.BatchNormalization(),
                              layers.ReLU(), layers.MaxPooling2D(), layers.Conv2D(64, **conv),
                              layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(),
                              layers.Dense(10)])  # fmt: skip
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1) / 16
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x[:1500], y[:1500], batch_size=64, epochs=8, verbose=0)
    model.save(folder / "model.keras")
    np.savez(folder / "weights.npz", **{f"w_{i}": weight.value.numpy() for i, weight in enumerate(model.weights)})
    v = np.random.default_rng(0).standard_normal(model.count_params())
    np.savez(folder / "data.npz", x=x[:EXAMPLES], y=y[:EXAMPLES], v=v)
    return {name: str(folder / file) for name, file in
            (("model", "model.keras"), ("weights", "weights.npz"), ("data", "data.npz"))}  # fmt: skip


def _memory(files, say):
    """Bytes an example, of a process that makes gradients and of one that makes products, by peaks at two batches."""
    slopes = {}
    for what in ("gradient", "product"):
        peaks = []
        for batch in BATCHES:
            say(f"memory of a {what} at batch {batch}")
            with Worker(
                "curvature", {"model": files["model"], "data": files["data"], "batch": batch, "only": what}
            ) as one:
                peaks.append(one.peak_memory())
        slopes[what] = (peaks[1] - peaks[0]) / (BATCHES[1] - BATCHES[0])
    return {"bytes_per_example": slopes, "gradients": slopes["product"] / slopes["gradient"]}


def _start(running, files, against, say):
    """({name: worker}, {name: why it is not there})."""
    common = {"data": files["data"], "batch": EXAMPLES, "probes": PROBES, "k": TOP}
    say(f"start: {OURS}")
    workers = {OURS: running.enter_context(Worker("curvature", common | {"model": files["model"]}))}
    absent = {}
    for name, options in _PEERS.items() if against else ():
        if not peers.PYTHON.exists():
            absent[name] = f"needs `{peers.SETUP}`"
            continue
        say(f"start: {name}")
        try:
            arguments = common | {"weights": files["weights"]} | options
            workers[name] = running.enter_context(Worker("curvature_torch", arguments, peers.PYTHON))
        except UserError as error:
            absent[name] = str(error)
    return workers, absent


def _found(name, worker, speeds, say):
    """What a contender answers, each once, how long that took, and the peak after it."""
    found = {"seconds": {"product": 1 / speeds.per_second((name, "product"))}}
    found["ratio"] = speeds.ratio((name, "product"), (OURS, "product"))
    found["product"] = worker.value("product")["answer"].tolist()
    for what in ("largest", "trace", "sketched_trace"):
        say(f"{name}: {what}")
        began = time.perf_counter()
        try:
            found[what] = {key: np.asarray(value).tolist() for key, value in worker.value(what).items()}
        except UserError:  # it has none
            break
        found["seconds"][what] = time.perf_counter() - began
        found["peak_memory_bytes"] = worker.peak_memory()
    return found


def _compare(found):
    """Puts into each how far its product is from ours, and takes the vectors out."""
    ours = np.array(found[OURS].pop("product"))
    found[OURS]["dim"] = len(ours)
    for name, row in found.items():
        if name != OURS:
            product = np.array(row.pop("product"))
            row["product_difference"] = float(np.linalg.norm(product - ours) / np.linalg.norm(ours))
            values = np.array(row["largest"]["values"])
            row["largest_difference"] = float(np.abs(values / found[OURS]["largest"]["values"] - 1).max())
            apart, errors = (
                row["trace"]["value"] - found[OURS]["trace"]["value"],
                (row["trace"]["error"], found[OURS]["trace"]["error"]),
            )
            row["trace_errors_apart"] = float(abs(apart) / np.hypot(*errors))


def _checks(found, memory):
    checks = [report.at_most("memory of a product, in gradients", memory["gradients"], MOST_MEMORY)]
    for name, row in found.items():
        if name == OURS:
            continue
        stated = 1e-2 if "PyHessian" in name else 1e-4 if "float32" in name else 1e-6
        checks.append(
            report.at_most(f"{name}, largest eigenvalue, relative difference", row["largest_difference"], stated)
        )
        checks.append(report.at_most(f"{name}, trace, standard errors apart", row["trace_errors_apart"], 4))
    return checks


def section(result) -> str:
    return "curvature"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    header = ["", "a product, ms", "ours / its", f"{TOP} largest, s", "largest eigenvalue", "trace", "its seconds",
              "Hutch++ trace", "peak memory, MB", "product, difference"]  # fmt: skip
    rows = [_row(name, row) for name, row in result["contenders"].items()]
    found, dim = result["memory"], result["contenders"][OURS]["dim"]
    slopes = found["bytes_per_example"]
    return "\n\n".join(
        [
            "## Second derivatives, beside PyHessian and curvlinops",
            f"    {result['command']}",
            table(header, rows),
            f"A classifier of 8x8 digits with two convolutions and batch norm in inference, {dim:,} weights, "
            f"{EXAMPLES} images in one batch; the same weights in each, float64 unless said. A product is the median "
            f"of {result['rounds']} rounds. Traces are of {PROBES} products. PyHessian keeps the graph of the one "
            "gradient, and stops an eigenvalue when it moves by 1e-3; it has no Hutch++. A product of ours takes "
            f"{found['gradients']:.2f} gradients of memory: {slopes['product'] / 1e3:.0f} kB an example after "
            f"{slopes['gradient'] / 1e3:.0f}, the slope between {BATCHES[0]} and {BATCHES[1]} examples. "
            + report.machine(result["machine"], result["others"]),
            report.checks(result["checks"]),
            *(
                [f"Not here: {', '.join(f'{k} ({v})' for k, v in result['absent'].items())}."]
                if result["absent"]
                else []
            ),
        ]
    )


def _row(name, row):
    sketched = row.get("sketched_trace")
    return [
        name,
        report.number(1e3 * row["seconds"]["product"]),
        report.ratio(row["ratio"]) if name != OURS else "",
        report.number(row["seconds"]["largest"]),
        f"{row['largest']['values'][0]:.8g}",
        _estimate(row["trace"]),
        report.number(row["seconds"]["trace"]),
        _estimate(sketched) if sketched else "–",
        report.number(row["peak_memory_bytes"] / 1e6),
        f"{row['product_difference']:.1e}" if name != OURS else "",
    ]


def _estimate(found):
    return f"{found['value']:.4g} ± {found['error']:.2g}" if "error" in found else f"{found['value']:.4g}"
