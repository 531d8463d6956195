"""A model beside its peers: the same work in other software, in turn, as ratios."""

import contextlib
from dataclasses import dataclass

from benchmarks import machine, peers, report
from benchmarks.process import Worker
from benchmarks.rounds import interleaved
from nvp_tf.errors import UserError
from nvp_tf.markdown import table as markdown_table

FUNCTIONS = ("train", "log_prob", "sample")
OURS = "ours"
SAMPLING = 0.9  # of log_prob's speed, at least


@dataclass(frozen=True)
class Target:
    """What must hold: the function is at least so many times as fast as in the best peer of a group."""

    function: str
    group: str
    at_least: float


class _Ours:
    """The two processes of ours, one that trains and one that answers, as one contender."""

    def __init__(self, train, answers):
        self.train, self.answers = train, answers

    def time(self, function, seconds=0.0):
        return (self.train if function == "train" else self.answers).time(function, seconds)


def run(name, config, batches, points, targets, rounds, seconds, say) -> dict:
    """Times it.

    Args:
      name, config, batches, points, targets: of the workload, as of `ModelSpeed`.
      rounds: how often each function is timed.
      seconds: for how long each time, at least.
      say: called with lines of progress.

    Returns:
      tables: for each batch size and dtype of the networks its contenders, ours the first; of each its parameters and
      its functions' examples_per_second and ratio (ours / its: median, low, high), or else why it is absent.
      sampling: ours, of log_prob's speed. And `checks`: what must hold.

    Raises:
      UserError: there is no environment of the peers.
    """
    if not peers.PYTHON.exists():
        raise UserError(f"the peers have no environment here, `{peers.SETUP}` makes it")
    with machine.Bystanders() as bystanders:
        tables = [
            _table(config, dtype, batch, points or batch, rounds, seconds, say)
            for batch in batches
            for dtype in peers.dtypes(config)
        ]
    return {
        "workload": name,
        "against": "torch",
        "command": f"bin/benchmark.py {name} --against=torch",
        "tables": tables,
        "checks": [check for table in tables for check in _checks(table, targets)],
        "rounds": rounds,
        "machine": machine.describe(peers.PACKAGES, peers.pythons()),
        "others": bystanders.share,
    }


def _table(config, dtype, batch, points, rounds, seconds, say):
    config = config.override([f"train.network_dtype={dtype}"])
    with contextlib.ExitStack() as running:

        def start(name, *contender):
            say(f"batch {batch}, {dtype}: start {name}")
            return running.enter_context(Worker(*contender))

        ours = {"config": config.to_json(), "batch": batch, "train": True}
        train = start(OURS, "model", ours)
        answers = start(f"{OURS}, answers", "model", ours | {"batch": points, "train": False})
        workers, absent, about = {OURS: _Ours(train, answers)}, {}, train.value("train")
        steps, parameters = int(about["steps"]), {OURS: int(about["parameters"])}
        for peer in peers.of(config):
            arguments = peers.arguments(peer, config, dtype, batch, points, steps)
            try:
                worker = start(peer.name, peer.contender, arguments, peer.python)
                parameters[peer.name] = int(worker.value("train")["parameters"])
                for function in FUNCTIONS[1:]:
                    worker.time(function)
                workers[peer.name] = worker
            except UserError as error:
                absent[peer.name] = str(error)
        jobs = [(name, function) for function in FUNCTIONS for name in workers]
        speeds = interleaved(workers, jobs, rounds, seconds, say)
    work = {"train": batch * steps, "log_prob": points, "sample": points}
    return {
        "batch": batch,
        "points": points,
        "steps": steps,
        "dtype": dtype,
        "contenders": {
            name: {
                "parameters": parameters[name],
                "functions": {
                    function: {
                        "examples_per_second": speeds.per_second((name, function), work[function]),
                        "ratio": speeds.ratio((OURS, function), (name, function)),
                    }
                    for function in FUNCTIONS
                },
            }
            for name in workers
        },
        "sampling": speeds.ratio((OURS, "sample"), (OURS, "log_prob")),
        "groups": {peer.name: peer.group for peer in peers.of(config)},
        "absent": absent,
    }


def _checks(table, targets):
    """What must hold of one table."""
    where = f"{table['dtype']}, batch {table['batch']}"
    for target in targets:
        ratios = {
            name: row["functions"][target.function]["ratio"]["median"]
            for name, row in table["contenders"].items()
            if table["groups"].get(name) == target.group
        }
        if ratios:
            best = min(ratios, key=ratios.get)
            among = f"times {best}" + (f", the fastest of {target.group}" if len(ratios) > 1 else "")
            yield report.at_least(f"{target.function}, {where}, {among}", ratios[best], target.at_least)
    yield report.at_least(f"sample, {where}, times log_prob", table["sampling"]["median"], SAMPLING)


def section(result) -> str:
    return f"{result['workload']} against {result['against']}"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    header = ["networks", "batch", "", "parameters"]
    header += [cell for function in FUNCTIONS for cell in (f"{function}, examples/s", "ours / its")]
    rows, absent, sizes = [], {}, []
    for table in result["tables"]:
        for name, row in table["contenders"].items():
            cells = [table["dtype"], str(table["batch"]), name, f"{row['parameters']:,}"]
            for of in row["functions"].values():
                cells += [report.number(of["examples_per_second"]), "" if name == OURS else report.ratio(of["ratio"])]
            rows.append(cells)
        absent |= table["absent"]
        if table["steps"] > 1 or table["points"] != table["batch"]:
            sizes.append(
                f"A call of training has {table['steps']} steps of {table['batch']} examples; {table['points']:,} are "
                "scored, and sampled, at once."
            )
    parts = [
        f"## `{result['workload']}` beside other software",
        f"    {result['command']}",
        markdown_table(header, rows),
        " ".join(f"{name}: {why}." for name, why in absent.items()),
        " ".join(
            [
                *dict.fromkeys(sizes),
                f"Examples/s are medians of {result['rounds']} rounds, ratios the median of the rounds and their ends.",
                report.machine(result["machine"], result["others"]),
            ]
        ),
        report.checks(result["checks"]),
    ]
    return "\n\n".join(part for part in parts if part)
