"""Stopping on SIGTERM and SIGINT: the first signal requests a stop, the second ends the process immediately.

The watchdog bounds the time to stop. Both work while the event loop is blocked: the handlers are plain Python signal
handlers, and the watchdog is a thread.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from runtime.exits import Exit

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ShutdownWatchdog:
    """A timer that ends the process with exit code 75 if stopping takes longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def arm(self) -> None:
        """Start the timer; further calls do nothing."""
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._end)
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        """Stop the timer, because the process stops in time."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        _write(f"not stopped after {self._seconds:g} s; ending the process")
        os._exit(Exit.CUT_SHORT)


@contextmanager
def handling_signals(request_stop: Callable[[str], None], watchdog: ShutdownWatchdog) -> Iterator[None]:
    """Call `request_stop` in the running loop at the first signal; end the process at the second."""
    loop = asyncio.get_running_loop()
    stop_requested = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal stop_requested
        name = signal.Signals(number).name
        if stop_requested:
            _write(f"second signal ({name}); ending the process")
            os._exit(128 + number)
        stop_requested = True
        watchdog.arm()
        # No log line here: the signal may interrupt the logging of a line, which holds the stream's lock.
        loop.call_soon_threadsafe(request_stop, name)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(text: str) -> None:
    os.write(2, f"{text}\n".encode())
