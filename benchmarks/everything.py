"""Every table of a page on one commit: what is measured already is not measured again."""

import json
import time
from pathlib import Path

from benchmarks import engines, machine, peers, registry
from nvp_tf.errors import UserError
from nvp_tf.files import write_text

# The tables of docs/performance.md, a workload alone or beside peers, and what each takes on two cores of a server.
MINUTES = {
    "startup": 2, "two_moons": 2, "digits": 2, "densities": 3, "nice": 3, "realnvp_small": 3, "serving": 4,
    "digits torch": 6, "two_moons torch": 6, "nice torch": 6, "realnvp_small torch": 6, "curvature torch": 8,
    "memory": 12, "realnvp_cifar10 torch": 12, "time_to_quality": 20, "variants": 30,
}  # fmt: skip


def options_of(table: str, given: dict) -> dict:
    """Those of its workload.

    Args:
      table: of `MINUTES`.
      given: "folder", where results are kept and runs are made; "run_dir" and "model", a trained run and its export;
        and other options, for the workloads that take them.
    """
    name, _, against = table.partition(" ")
    options = {key: value for key, value in given.items() if key != "against" and registry.takes(name, key)}
    if "run_dir" in options and "model" not in options:  # it makes its own
        options["run_dir"] = str(Path(given["folder"]) / name)
    return options | ({"against": against} if against else {})


def run(given: dict, measured, say) -> dict:
    """Measures what the commit lacks.

    Args:
      given: as of `options_of`.
      measured: called with a workload's name and its options: it measures, and returns what is for JSON.
      say: called with lines of progress.

    Returns:
      {table: its result}.

    Raises:
      UserError: an environment is missing, without which tables have fewer rows; or the code has changes: no commit
        would say what was measured.
    """
    for others in (peers, engines):
        if not others.PYTHON.exists():
            raise UserError(f"there is no {others.PYTHON}, which some tables need: `{others.SETUP}` makes it")
    code = machine.code()
    if code is None or code.endswith("+"):
        raise UserError(f"the code's commit is {code}, expected one without changes: all tables are of one")
    folder = Path(given["folder"]) / code
    files = {table: folder / f"{table.replace(' ', '-')}.json" for table in MINUTES}
    results = {table: json.loads(file.read_text()) for table, file in files.items() if file.exists()}
    todo = [table for table in MINUTES if table not in results]
    minutes = sum(MINUTES[table] for table in todo)
    say(f"{len(todo)} of {len(MINUTES)} tables, some {minutes} minutes; results are kept in {folder}")
    for table in todo:
        began = time.monotonic()
        results[table] = measured(table.split()[0], options_of(table, given))
        folder.mkdir(parents=True, exist_ok=True)
        write_text(files[table], json.dumps(results[table], indent=2) + "\n")
        say(f"{table}: {(time.monotonic() - began) / 60:.1f} minutes")
    return results
