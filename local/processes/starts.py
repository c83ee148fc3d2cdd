"""Lines for a person who waits: each part that starts, how long that takes, and those that still start."""

import threading
import time
from collections.abc import Callable
from typing import Self

# A start takes 1 to 10 s on a usual machine.
REMIND_EVERY_SECONDS = 15.0


class Starts:
    """The parts that start now. Use it as a context manager; its thread only writes lines."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` gets lines with rich's markup."""
        self._write = write
        self._began: dict[str, float] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._remind, name="starts", daemon=True)

    def begin(self, *parts: str) -> None:
        """Say that these parts start."""
        now = time.monotonic()
        self._began |= dict.fromkeys(parts, now)
        self._write(f"[dim]… {', '.join(parts)} starting[/]")

    def end(self, part: str, place: str) -> None:
        """Say that a part is ready, where it is, and how long it took."""
        seconds = time.monotonic() - self._began.pop(part)
        self._write(f"[green]✓[/] {part:<20} [dim]{place}, after {seconds:.1f} s[/]")

    def _remind(self) -> None:
        while not self._is_over.wait(REMIND_EVERY_SECONDS):
            now = time.monotonic()
            if waiting := [f"{part} for {now - began:.0f} s" for part, began in list(self._began.items())]:
                self._write(f"[dim]… still starting: {', '.join(waiting)}[/]")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
