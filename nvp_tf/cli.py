"""What every command has in common: flags, one-line errors with status 2, one line of JSON at the end."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any, NoReturn

from absl import app, flags, logging

from nvp_tf.errors import ResumeLater, UserError, WorkerLost
from nvp_tf.files import json_text
from nvp_tf.runtime import as_traced, uncollected

_NOT_FOR_KERAS = ("matplotlib", "sklearn")


def run(command: ModuleType) -> None:
    """Parses flags and runs `command.main(*words)`, which returns the figures to print.

    Args:
      command: a module with `main`, its flags, and a docstring for `--help`. POSITIONAL, where it has that: how many
        words may be no flags; FOREIGN: whether flags that are not ours are words, too.

    stdout gets one line of JSON, stderr everything else. Exit status: 0 done, 2 a mistake that can
    be mended (one line says which), 75 stopped by SIGTERM with its work saved (the same command goes on),
    130 interrupted.
    """
    if any(argument.lstrip("-") in ("help", "helpfull", "helpshort") for argument in sys.argv[1:]):
        print(f"{command.__doc__}\n{flags.FLAGS.module_help(command.__name__)}")
        sys.exit(0)
    words, foreign = getattr(command, "POSITIONAL", 0), getattr(command, "FOREIGN", False)
    app.run(
        lambda argv: _report(lambda: command.main(*argv[1:])), flags_parser=lambda argv: _parse(argv, words, foreign)
    )


def end_at_sigterm(what: str) -> None:
    """From here on SIGTERM ends the command as Ctrl-C does, but with the status that says to start it again.

    what: is lost by it.
    """

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise ResumeLater(f"stopped {what}: start the same command again")

    signal.signal(signal.SIGTERM, end)


def quiet_tensorflow() -> None:
    """Imports TensorFlow without its start-up lines, which no setting turns off and which would bury ours, and sets
    what it does to graphs.

    And without scikit-learn and matplotlib, for which Keras looks then: they are a third of the time that it takes.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.set_verbosity(logging.WARNING)
    hidden: dict[str, Any] = {name: None for name in _NOT_FOR_KERAS if name not in sys.modules}
    sys.modules.update(hidden)  # as if they were not installed
    try:
        with silence(), uncollected():
            as_traced()  # looks for GPUs, and says at length that there are none
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing that libraries write to stderr meanwhile, past Python too, is seen."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _parse(argv: Sequence[str], positional: int, foreign: bool) -> list[str]:
    try:
        arguments = flags.FLAGS(argv, known_only=foreign)
    except flags.Error as error:
        fail(error)
    if len(arguments) > 1 + positional:
        fail(f"unexpected argument {arguments[1 + positional]!r}: every value is given as --flag=value")
    return arguments


def _report(main: Callable[[], object]) -> None:
    try:
        print(json_text(main()))
    except ModuleNotFoundError as error:
        fail(_missing(error))
    except (UserError, OSError) as error:
        fail(error)
    except ResumeLater as error:
        print(error, file=sys.stderr, flush=True)
        if isinstance(error, WorkerLost):
            os._exit(os.EX_TEMPFAIL)  # at Python's own end TensorFlow waits for the one that is gone, half a minute
        sys.exit(os.EX_TEMPFAIL)
    except KeyboardInterrupt as error:
        print(f"interrupted: {error}" if str(error) else "interrupted", file=sys.stderr)
        sys.exit(130)


# The extra of pyproject.toml that has a package.
_EXTRAS = {"ai_edge_litert": "lite", "ai_edge_quantizer": "lite", "grpc": "serving", "requests": "serving",
           "pyarrow": "data", "tensorflow_datasets": "data", "importlib_resources": "data"}  # fmt: skip


def _missing(error: ModuleNotFoundError) -> str:
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        raise error
    return f"{package} is not installed, expected `pip install 'nvp_tf[{_EXTRAS[package]}]'`"


def fail(error: Exception | str) -> NoReturn:
    """Ends the command with status 2 and one line on stderr."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
