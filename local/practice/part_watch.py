"""Which parts of a local gateway have ended. Each end is reported once; a part may be started again. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A server or a process. `start_again` is None for a part that only a new run starts."""

    name: str
    is_running: Callable[[], bool]
    advice: str
    start_again: Callable[[], None] | None = None


class PartWatch:
    """Notes which parts have ended. Owned by one task; never awaits."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(parts)
        self._ended: dict[str, Part] = {}

    def newly_ended(self) -> list[Part]:
        """Return the parts that have ended since the last call."""
        found = [part for part in self._parts if part.name not in self._ended and not part.is_running()]
        self._ended |= {part.name: part for part in found}
        return found

    @property
    def startable(self) -> list[Part]:
        """The ended parts that can be started."""
        return [part for part in self._ended.values() if part.start_again is not None]

    def start_again(self) -> list[Part]:
        """Start the ended parts that can be started, and return them."""
        started = self.startable
        for part in started:
            if part.start_again is not None:
                part.start_again()
            del self._ended[part.name]
        return started
