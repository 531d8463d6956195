"""What ends a command: a mistake that a person can mend, or that it should be started again later."""


class UserError(ValueError):
    """A mistake of the person at the keyboard: a bad value, a missing file, a wrong shape.

    Its message is one line that names the value and what was expected. Commands print that line
    on stderr and exit with status 2.
    """


class ResumeLater(KeyboardInterrupt):
    """SIGTERM came, as from a cluster that wants its machine back: what was done is saved, start the command again."""


class WorkerLost(ResumeLater):
    """Another worker of the same training ended or is silent: nothing can be computed, nor said to it, any more."""


def reason(error: Exception) -> str:
    """What a library's error says, in one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
