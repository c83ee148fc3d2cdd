"""The signed-in person as the gateway's caller. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MeView:
    """The caller of the console's requests: the name, the permissions and the bounds."""

    caller: str
    kind: str
    person: str | None
    permissions: tuple[str, ...]
    requests_per_second: float
    burst: int
    streams: int
    waiting_requests: int


def me_of(me: Mapping[str, Any]) -> MeView:
    """Return the view of `GET /v1/me`."""
    limits = me["limits"]
    return MeView(
        caller=me["caller"],
        kind=me["kind"],
        person=me.get("person"),
        permissions=tuple(me["permissions"]),
        requests_per_second=limits["requestsPerSecond"],
        burst=limits["burst"],
        streams=limits["streams"],
        waiting_requests=limits["waitingRequests"],
    )
