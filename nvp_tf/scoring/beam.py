"""Scores of many files as an Apache Beam pipeline, for any of its runners.

    words ─ files ─ reshuffle ─ rows ─┬─ scores-*    what nvp_tf score would have in its table
       │                              ├─ errors-*    name and error of what could not be scored
       └─ what is passed over ────────┴─ summary.json, once the others are there

A file is read by one worker. Rows go from the model to the shards within that worker: only file names
and summaries travel.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io.filebasedsink import FileBasedSink
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from nvp_tf.files import json_text
from nvp_tf.pictures.decoding import Fit
from nvp_tf.pictures.files import PassedOver
from nvp_tf.scoring import beam_files, scorer, table
from nvp_tf.scoring.contract import SIGNATURES
from nvp_tf.scoring.items import Item
from nvp_tf.scoring.saved_model import SavedModel
from nvp_tf.scoring.scorer import Row
from nvp_tf.scoring.summary import Summary


class Rows(list[Row]):
    """Rows of (name, answers or None, error). Of a class of its own, Beam pickles it: of a list it would encode the
    names, which need not be UTF-8."""


class Score(beam.DoFn):
    """File names to `Rows`.

    A batch may have Items of several files, but of one bundle: a bundle that fails is done again as a whole.

    Args:
      model: a folder with saved_model.pb.
      batch_size: rows in one list.
      encode: ask for latents, not for scores.
      fit: how pictures are brought to the model's size and depth; None: not.
      feature: of records, or the column of Parquet, that has the value; None for the one of a common name.
    """

    def __init__(
        self, model: str, batch_size: int, encode: bool = False, fit: Fit | None = None, feature: str | None = None
    ) -> None:
        self._folder, self._batch_size, self._encode, self._fit = model, batch_size, encode, fit
        self._feature = feature
        self._shared = Shared()

    def model(self) -> SavedModel:
        """The SavedModel, of which a process has one."""
        return self._shared.acquire(lambda: beam_files.load(self._folder))

    def columns(self) -> tuple[str, ...]:
        return SIGNATURES["encode"].outputs if self._encode else self.model().scores

    def setup(self) -> None:
        self._model = self.model()

    def start_bundle(self) -> None:
        self._batch: list[Item] = []

    def process(self, name: bytes) -> Iterator[Rows]:
        for item in beam_files.read(_text(name), self._model.event, self._fit, self._feature):
            self._batch.append(item)
            if len(self._batch) == self._batch_size:
                yield self._rows()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._batch:
            yield WindowedValue(self._rows(), GlobalWindow().max_timestamp(), [GlobalWindow()])

    def _rows(self) -> Rows:
        batch, self._batch = self._batch, []
        return Rows(scorer.rows(batch, self._model.encode if self._encode else self._model.score))


class Summarize(beam.CombineFn):
    """`Rows` to a `Summary`."""

    def create_accumulator(self) -> Summary:
        return Summary()

    def add_input(self, summary: Summary, rows: Rows) -> Summary:
        summary.add(rows)
        return summary

    def merge_accumulators(self, summaries: Iterable[Summary]) -> Summary:
        whole = Summary()
        for summary in summaries:
            whole.merge(summary)
        return whole

    def extract_output(self, summary: Summary) -> Summary:
        return summary


class Shards(FileBasedSink):
    """`Rows` to files of a table, which get their names once all are written.

    Args:
      prefix: path and beginning of the name.
      suffix: .csv or .parquet.
      columns: those between name and error.
    """

    def __init__(self, prefix: str, suffix: str, columns: Sequence[str]) -> None:
        super().__init__(prefix, BytesCoder(), file_name_suffix=suffix)
        self._suffix, self._columns = suffix, columns

    def open(self, temp_path: str) -> table.Writer:
        return table.writer(self._suffix, super().open(temp_path), self._columns)

    def write_record(self, writer: table.Writer, rows: Rows) -> None:
        writer.write(rows)


def check(model: str, words: Iterable[str], output: str) -> str:
    """The folder of the model's newest version: settled here, so that all workers load the same one.

    Raises:
      UserError: no input, no export, or results of another run.
    """
    for word in words:
        beam_files.find(word, limit=1)
    beam_files.check_new(output)
    return beam_files.newest(model)


def run(
    pipeline: beam.Pipeline,
    model: str,
    words: Sequence[str],
    output: str,
    suffix: str,
    batch_size: int = 64,
    encode: bool = False,
    fit: Fit | None = None,
    feature: str | None = None,
) -> dict[str, Any]:
    """Scores all that the words mean, waits for the end, and returns what summary.json has.

    Args:
      pipeline: an empty one.
      model: a folder with saved_model.pb.
      words: files, folders, patterns.
      output: the folder for the results.
      suffix: of the tables, .csv or .parquet.
      batch_size: values scored at once.
      encode: write latents, not scores.
      fit: how pictures are brought to the model's size and depth; None: not.
      feature: of records, or the column of Parquet, that has the value; None for the one of a common name.

    Raises:
      UserError: a damaged export.
    """
    score = Score(model, batch_size, encode, fit, feature)
    given = pipeline | "words" >> beam.Create([_bytes(word) for word in words])
    # Both of one PCollection: as a tagged output, a side input is another one to BundleBasedDirectRunner.
    found = given | "find" >> beam.Map(lambda word: beam_files.find(_text(word)))
    files = found | "files" >> beam.FlatMap(lambda each: [_bytes(path) for path in each.files])
    passed = found | "passed over" >> beam.Map(lambda each: each.passed)
    rows = files | "spread" >> beam.Reshuffle() | "score" >> beam.ParDo(score)
    written = []
    for name, columns, chosen in (
        ("scores", score.columns(), lambda row: not row[2]),
        ("errors", (), lambda row: bool(row[2])),
    ):
        part = rows | f"choose {name}" >> beam.FlatMap(_choose, chosen)
        shards = Shards(FileSystems.join(output, name), suffix, columns)
        written.append(part | f"write {name}" >> beam.io.Write(shards))
    about = {"model": model, "input": list(words)}
    (
        rows
        | "summarize" >> beam.CombineGlobally(Summarize())
        # The names of the shards are its input so that it waits for them.
        | "summary" >> beam.Map(_summary, about, beam.pvalue.AsList(passed), *map(beam.pvalue.AsList, written))
        | "write summary" >> beam.io.WriteToText(FileSystems.join(output, "summary"), ".json", shard_name_template="")
    )
    try:
        pipeline.run().wait_until_finish()
    except RuntimeError as error:
        if "KeyboardInterrupt" in str(error):  # Ctrl-C as Beam's local runner tells of it
            raise KeyboardInterrupt from None
        raise
    return json.loads(beam_files.read_text(FileSystems.join(output, "summary.json")))


def _choose(rows: Rows, chosen: Callable[[Row], bool]) -> list[Rows]:
    found = Rows(row for row in rows if chosen(row))
    return [found] if found else []


def _summary(
    summary: Summary, about: dict[str, Any], passed: Sequence[PassedOver], scores: Sequence[str], errors: Sequence[str]
) -> str:
    whole = PassedOver()
    for each in passed:
        whole.merge(each)
    shards = {"scores": len(scores), "errors": len(errors)}
    found = whole.figures() | about | {"shards": shards, "histograms": summary.histograms()}
    return json_text(summary.figures() | found, indent=2)


def _bytes(path: str) -> bytes:
    """A name as Beam can send it: not every file name is UTF-8."""
    return path.encode(errors="surrogateescape")


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
