"""What was measured on, and how quiet it was."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from nvp_tf.runs.provenance import git
from nvp_tf.runtime import cores, cpu_flags


def describe(packages, pythons=(sys.executable,)) -> dict:
    """The processor, its cores, memory, the code's commit and the versions of packages.

    Args:
      packages: their names; what is nowhere is left out.
      pythons: interpreters whose environments are looked through, the first that has a package counting.
    """
    text, flags = Path("/proc/cpuinfo").read_text(), cpu_flags()
    name = re.search(r"^model name\s*: (.*)$", text, re.M)
    memory = int(re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())[1]) * 1024
    return {
        "processor": name[1] if name else platform.machine(),
        "extensions": [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags],
        "cores": cores(),
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()}",
        "code": code(),
        "versions": {"python": platform.python_version()} | _versions(packages, pythons),
    }


def code() -> str | None:
    """The last commit that changed what is measured, with "+" where it has changed since; None without a checkout."""
    folders = ("--", "nvp_tf", "benchmarks")
    commit, changes = git("log", "-1", "--format=%h", *folders), git("status", "--porcelain", "-uno", *folders)
    return commit + "+" * bool(changes) if commit else None


def _versions(packages, pythons):
    script = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = {}
    for python in pythons:
        said = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout
        found = json.loads(said) | found
    return {package: found[package] for package in packages if package in found}


class Bystanders:
    """The share of the machine's processor time that other processes than ours and our children used: a context.

    share: 0 to 1, once the context has ended. Children count once they have ended, so it must end after theirs.
    """

    def __enter__(self):
        self._began = _busy_seconds()
        return self

    def __exit__(self, *_):
        used, total, ours = (end - begin for begin, end in zip(self._began, _busy_seconds(), strict=True))
        self.share = max(0.0, used - ours) / total if total else 0.0


def _busy_seconds():
    """(processor seconds that all processes used, that there were, that we and our ended children used)."""
    tick = os.sysconf("SC_CLK_TCK")
    fields = [int(value) / tick for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    ours = os.times()
    return sum(fields) - idle, sum(fields), ours.user + ours.system + ours.children_user + ours.children_system
