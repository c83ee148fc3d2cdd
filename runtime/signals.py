"""SIGTERM and SIGINT: the first asks to stop, the second ends the process on the spot; a deadline that always holds.

Works while the event loop is stuck: handlers are Python's own, and the deadline is a thread.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from runtime.exits import Exit

_HEEDED = (signal.SIGTERM, signal.SIGINT)


class ShutdownWatchdog:
    """Ends the process from outside its loop when stopping takes longer than it may."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def arm(self) -> None:
        """Start the clock, once."""
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._end)
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        """Stop the clock: the process has come to its end by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        _say(f"not stopped after {self._seconds:g} s; ending the process")
        os._exit(Exit.CUT_SHORT)


@contextmanager
def handling_signals(request_stop: Callable[[str], None], watchdog: ShutdownWatchdog) -> Iterator[None]:
    """Call `request_stop` in the running loop at the first signal; end the process at the second."""
    loop = asyncio.get_running_loop()
    asked = False

    def heed(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        name = signal.Signals(number).name
        if asked:
            _say(f"second signal ({name}); ending the process")
            os._exit(128 + number)
        asked = True
        watchdog.arm()
        # Not logged here: the signal may have interrupted a line being logged, which holds the stream's lock.
        loop.call_soon_threadsafe(request_stop, name)

    before = {number: signal.signal(number, heed) for number in _HEEDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    os.write(2, f"{text}\n".encode())
