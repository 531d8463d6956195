"""Every table of a page on one commit: what is measured already is not measured again."""

import json
import time
from pathlib import Path

from benchmarks import machine, registry
from nvp_tf.errors import UserError
from nvp_tf.files import write_text

# On two cores of a server, told before it starts; by workload, alone and beside peers.
MINUTES = {
    "two_moons": 2, "nice": 4, "digits": 2, "realnvp_small": 4, "realnvp_cifar10": 12,
    "two_moons torch": 6, "nice torch": 8, "digits torch": 5, "realnvp_small torch": 8, "realnvp_cifar10 torch": 40,
    "curvature torch": 6, "densities": 3, "engines": 6, "memory": 40, "serving": 5, "startup": 2,
    "time_to_quality": 38, "variants": 45, "workers": 8,
}  # fmt: skip


def parts(given: dict) -> list[tuple[str, dict]]:
    """(workload, its options) of each table, in the order of what takes least time.

    Args:
      given: "folder", where results are kept and runs are made; "run_dir" and "model", a trained run and its export;
        and other options, for the workloads that take them.
    """
    found = []
    for name in registry.names():
        options = {key: value for key, value in given.items() if key != "folder" and registry.takes(name, key)}
        if "run_dir" in options and "model" not in options:  # it makes its own
            options["run_dir"] = str(Path(given["folder"]) / name)
        if registry.takes(name, "against"):
            found.append((name, {"against": "torch"} | options))
            if name == "curvature":  # one table has both
                continue
        found.append((name, options))
    return sorted(found, key=lambda part: MINUTES.get(key(*part), 10))


def run(given: dict, measured, say) -> dict:
    """Measures what the commit lacks.

    Args:
      given: as of `parts`.
      measured: called with a workload's name and its options: it measures, and returns what is for JSON.
      say: called with lines of progress.

    Returns:
      {part: its result}.

    Raises:
      UserError: the code has changes: no commit would say what was measured.
    """
    code = machine.code()
    if code is None or code.endswith("+"):
        raise UserError(f"the code's commit is {code}, expected one without changes: all tables are of one")
    folder, todo, results = Path(given["folder"]) / code, [], {}
    for name, options in parts(given):
        file = folder / f"{key(name, options).replace(' ', '-')}.json"
        if file.exists():
            results[key(name, options)] = json.loads(file.read_text())
        else:
            todo.append((name, options, file))
    minutes = sum(MINUTES.get(key(name, options), 10) for name, options, _ in todo)
    say(f"{len(todo)} of {len(todo) + len(results)} tables, some {minutes} minutes; results are kept in {folder}")
    for name, options, file in todo:
        began = time.monotonic()
        result = results[key(name, options)] = measured(name, options)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(result, indent=2) + "\n")
        say(f"{key(name, options)}: {(time.monotonic() - began) / 60:.1f} minutes")
    return results


def key(name: str, options: dict) -> str:
    return f"{name} {options['against']}" if "against" in options else name
