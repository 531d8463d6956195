"""The process of one contender: loads it and times what it is asked to. A script; `process.Worker` is its other end.

python -P worker.py CONTENDER.py ARGUMENTS

CONTENDER.py has a function `load(**arguments)` that returns {name: a function of nothing, which returns
{name: array}}. The first of them is called, and a line says so. Then each line of stdin is a request:

    {"time": name, "seconds": s}  ->  {"seconds": [of each call]}, calls for at least s seconds, at least one
    {"value": name, "file": file} ->  {}, once what the function returns is in the file, as of np.savez
    {"memory": true}              ->  {"bytes": the most that this process ever held}

Needs NumPy and nothing of this package: it runs in environments of other people's software.
"""

import json
import os
import re
import runpy
import sys
import time


def main(contender, arguments):
    # Our lines alone go to stdout: libraries print to it, too.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    functions = runpy.run_path(contender)["load"](**json.loads(arguments))
    next(iter(functions.values()))()
    print("{}", file=answers)
    for line in sys.stdin:
        print(json.dumps(answer(functions, json.loads(line))), file=answers)


def answer(functions, request):
    if "time" in request:
        return {"seconds": timed(functions[request["time"]], request["seconds"])}
    if "value" in request:
        import numpy as np

        np.savez(request["file"], **functions[request["value"]]())
        return {}
    with open("/proc/self/status") as file:  # getrusage would count the parent's, before this began
        return {"bytes": 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1])}


def timed(function, seconds):
    calls, began = [], time.perf_counter()
    while not calls or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        function()
        calls.append(time.perf_counter() - start)
    return calls


if __name__ == "__main__":
    main(*sys.argv[1:])
