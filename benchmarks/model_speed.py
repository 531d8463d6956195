"""What the workloads of models share: training step, log_prob, encode and sample, beside the machine's own peak."""

import contextlib

from benchmarks import against as beside
from benchmarks import machine, report
from benchmarks.process import Worker
from benchmarks.rounds import interleaved
from nvp_tf.config.schema import Config
from nvp_tf.markdown import table
from nvp_tf.training.flop import KINDS

INFERENCE = ("log_prob", "encode", "sample")


class ModelSpeed:
    """A workload: one model, at some batch sizes.

    Args:
      name: the workload's.
      config: the Config of a run; its networks compute in float32 where it leaves that to the machine.
      batches: of how many examples each.
      points: how many are scored, and sampled, beside the peers; None for as many as a batch has.
      targets: what must hold beside the peers, each an `against.Target`.
    """

    def __init__(self, name: str, config: Config, batches, points=None, targets=()):
        if config.train.network_dtype == "auto":
            config = config.override(["train.network_dtype=float32"])
        self.name, self.config, self.batches = name, config, tuple(batches)
        self.points, self.targets = points, targets

    def run(self, rounds=7, seconds=1.0, against=None, say=print) -> dict:
        """Times it.

        Args:
          rounds: how often each function is timed.
          seconds: for how long each time, at least.
          against: "torch" to time it beside its peers, as `against.run` does; None for alone.
          say: called with lines of progress.

        Returns:
          functions: by batch size and name examples_per_second, gflop_per_second, of_peak (median, low, high
          of the rounds; of what the machine does in one large product or convolution, of the function's own
          kind and dtype, in the same round), and peak_memory_bytes and seconds_to_first of its process, one
          that trains or one that answers.
          peak: GFLOP/s.
        """
        if against:
            return beside.run(self.name, self.config, self.batches, self.points, self.targets, rounds, seconds, say)
        with machine.Bystanders() as bystanders, contextlib.ExitStack() as running:
            workers = self._start(running, say)
            jobs = list(self._jobs(workers))
            speeds = interleaved(workers, jobs, rounds, seconds, say)
            memory = {contender: worker.peak_memory() for contender, worker in workers.items()}
            work = {job: self._work(workers, job) for job in jobs}  # takes memory
            flop = {job: operations for job, (operations, _) in work.items()}
            functions = {}
            for (contender, function), operations in flop.items():
                if contender == "peak":
                    continue
                kind = max(KINDS, key=operations.get)
                peak = ("peak", f"{kind} {self._dtype(function)}")
                total, batch = sum(operations.values()), int(contender.split()[-1])
                examples = batch * work[contender, function][1]
                functions.setdefault(batch, {})[function] = {
                    "examples_per_second": speeds.per_second((contender, function), examples),
                    "gflop_per_second": speeds.per_second((contender, function), total) / 1e9,
                    "of_peak": speeds.ratio((contender, function), peak, total, sum(flop[peak].values())),
                    "kind": kind,
                    "peak_memory_bytes": memory[contender],
                    "seconds_to_first": workers[contender].seconds_to_first,
                }
            peaks = {f: speeds.per_second((c, f), sum(flop[c, f].values())) / 1e9 for c, f in flop if c == "peak"}
        return {
            "workload": self.name,
            "command": f"bin/benchmark.py {self.name}",
            "functions": functions,
            "peak": peaks,
            "rounds": rounds,
            "machine": machine.describe(("tensorflow", "keras")),
            "others": bystanders.share,
        }

    def section(self, result) -> str:
        return beside.section(result) if "against" in result else self.name

    def markdown(self, result) -> str:
        """The section of docs/performance.md."""
        if "against" in result:
            return beside.markdown(result)
        header = ["batch", "", "examples/s", "GFLOP/s", "of the peak", "of", "peak memory, MB", "start to first, s"]
        rows = [
            [
                str(batch),
                name,
                report.number(row["examples_per_second"]),
                report.number(row["gflop_per_second"]),
                report.percent(row["of_peak"]),
                f"{row['kind']} {self._dtype(name)}",
                f"{row['peak_memory_bytes'] / 1e6:.0f}",
                f"{row['seconds_to_first']:.1f}",
            ]
            for batch, functions in result["functions"].items()
            for name, row in functions.items()
        ]
        peaks = ", ".join(f"{name} {value:.0f}" for name, value in result["peak"].items())
        return "\n\n".join(
            [
                f"## `{self.name}`",
                f"    {result['command']}",
                table(header, rows),
                f"Peak, GFLOP/s: {peaks}. Medians of {result['rounds']} rounds, and the ends of the ratios. "
                + report.machine(result["machine"], result["others"]),
            ]
        )

    def _start(self, running, say):
        exact = self.config.override(["train.network_dtype=float32"])  # as a run is loaded
        configs, workers = {"train": self.config.to_json(), "answer": exact.to_json()}, {}
        for name in (f"{what} {batch}" for batch in self.batches for what in configs):
            say(f"start: {name}")
            what, batch = name.split()
            arguments = {"config": configs[what], "batch": int(batch), "train": what == "train"}
            workers[name] = running.enter_context(Worker("model", arguments))
        workers["peak"] = running.enter_context(Worker("peak", {}))
        return workers

    def _jobs(self, workers):
        """The peaks first: right before them the machine was not yet warm."""
        dtypes = {self._dtype("train"), self._dtype("log_prob")}
        yield from (("peak", f"{kind} {dtype}") for kind in KINDS for dtype in sorted(dtypes))
        for name in workers:
            if name != "peak":
                yield from ((name, function) for function in (("train",) if name.startswith("train") else INFERENCE))

    def _work(self, workers, job):
        """({kind: FLOP of a call}, the batches of a call)."""
        contender, function = job
        worker = workers[contender]
        if contender == "peak":
            return {function.split()[0]: int(worker.value(function)["flop"])}, 1
        flop = dict(zip(KINDS, map(int, worker.value(f"flop of {function}")["flop"]), strict=True))
        return flop, int(worker.value(function)["steps"])

    def _dtype(self, function):
        """Of the networks: a run is trained in its own, and answers in float32."""
        return self.config.train.network_dtype if function == "train" else "float32"
