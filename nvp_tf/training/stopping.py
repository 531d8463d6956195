"""Ctrl-C and SIGTERM: they ask, and training ends where its state is whole."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from nvp_tf.errors import ResumeLater


class Stopping:
    """Whether a signal has asked for the end.

    asked: the exception to end with, None while nothing has asked.
    """

    def __init__(self) -> None:
        self.asked: type[KeyboardInterrupt] | None = None

    @contextlib.contextmanager
    def signals_caught(self) -> Iterator[None]:
        """Within, the first signal only asks; a second one ends whatever is running at once."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = ResumeLater if number == signal.SIGTERM else KeyboardInterrupt

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
