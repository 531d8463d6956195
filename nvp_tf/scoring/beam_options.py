"""Flags for Beam to a pipeline with its runner."""

import contextlib
import io
import logging
from collections.abc import Iterable
from typing import Any

from nvp_tf.errors import UserError, reason

logging.disable(logging.WARNING)  # Beam tells of each package for Google's services that is not there.
try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo, FnApiRunner
    from apache_beam.runners.portability.portable_runner import JobServiceHandle
finally:
    logging.disable(logging.NOTSET)


def pipeline(words: Iterable[str]) -> beam.Pipeline:
    """An empty pipeline with the options that the words, --flag or --flag=value, are.

    Without a runner among them it is Beam's own in Python, FnApiRunner.

    Raises:
      UserError: no such runner, a value that Beam does not take, or an unknown flag for a runner on this machine;
        others have more than Beam knows of here.
    """
    words = list(words)
    if wrong := [word for word in words if not word.startswith("--")]:
        raise UserError(f"unexpected argument {wrong[0]!r}: every value is given as --flag=value")
    options = PipelineOptions(words)
    given, unknown = _parsed(options)
    runner = options.view_as(StandardOptions).runner or "FnApiRunner"
    if unknown and runner in StandardOptions.LOCAL_RUNNERS:
        raise UserError(f"there is no flag --{min(unknown)}, of Beam or of this command")
    if runner == "FnApiRunner":
        runner = _python_runner(given)
    try:
        return beam.Pipeline(runner, options)
    except (ImportError, ValueError) as error:
        raise UserError(reason(error)) from None


def _parsed(options: PipelineOptions) -> tuple[dict[str, Any], set[str]]:
    """({option: value}, the names of those that Beam does not know here)."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit:  # after 150 lines of usage
        raise UserError(said.getvalue().rpartition("error: ")[2]) from None
    return given, given.keys() - PipelineOptions([]).get_all_options().keys()


def _python_runner(options: dict[str, Any]) -> FnApiRunner:
    """The runner as DirectRunner makes it. Made by its name, it would not tell worker processes of the options, such
    as where S3 is."""
    return FnApiRunner(
        provision_info=ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=JobServiceHandle.encode_pipeline_options(options))
        )
    )
