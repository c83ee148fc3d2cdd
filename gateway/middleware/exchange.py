"""One request and its response. `layers.RequestIds` creates the exchange in Starlette's `scope["state"]`.

It belongs to the request's task and ends with it.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from starlette.types import Scope


@dataclass(slots=True)
class Exchange:
    """One request and its response.

    Attributes:
        headers: The request's headers by lower-case name; of a repeated header the first value.
        status: The status of the response, once it has started.
        on_release: Functions that `release` calls.
    """

    request_id: str
    headers: dict[bytes, bytes]
    status: int | None = None
    on_release: list[Callable[[], None]] = field(default_factory=list)

    def release(self) -> None:
        """Free what the request holds until its response starts. A second call does nothing."""
        callbacks, self.on_release = self.on_release, []
        for callback in callbacks:
            callback()


class Places:
    """How many places the senders hold, by name: for requests in flight, or for waits."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def taken(self, name: str) -> int:
        """Return how many places a name holds."""
        return self._taken[name]

    def take(self, exchange: Exchange, *names: str) -> None:
        """Count a request under each name until its response starts."""
        self.enter(names)
        exchange.on_release.append(partial(self.leave, names))

    def enter(self, names: Iterable[str]) -> None:
        """Count a place under each name until `leave`."""
        for name in names:
            self._taken[name] += 1

    def leave(self, names: Iterable[str]) -> None:
        """Free the place of each name."""
        for name in names:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange of a request."""
    exchange: Exchange = scope["state"]["context"]
    return exchange


def route_label(scope: Scope) -> str:
    """Return the path template of the route that serves the request; `unmatched` without a route."""
    route = scope.get("route")
    return "unmatched" if route is None else str(route.path)
