"""The filter and the start position of an event stream, as its client requests them. Pure."""

import re
from dataclasses import dataclass

from gateway.ingress.event_stream.streamed_event import StreamedEvent
from runtime.http_server.port_problems import InvalidHeader
from runtime.http_server.problem import Fault

_OFFSET = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """The events that a client wants. An empty set accepts every value."""

    types: frozenset[str] = frozenset()
    authorizations: frozenset[str] = frozenset()

    def accepts(self, event: StreamedEvent) -> bool:
        """Return whether the client wants the event."""
        return (not self.types or event.type in self.types) and (
            not self.authorizations or event.authorization_id in self.authorizations
        )


def read_vector(header: bytes | None, partitions: int) -> list[int] | None:
    """Parse a Last-Event-ID: the next offset of every partition. Raises InvalidHeader for a malformed one."""
    if not header:
        return None
    offsets = header.decode("latin-1").split(".")
    if len(offsets) != partitions or not all(_OFFSET.fullmatch(offset) for offset in offsets):
        raise InvalidHeader(
            "Send the id of the last event that you received, unchanged, or no Last-Event-ID.",
            faults=(Fault("an id that this stream has sent", header="Last-Event-ID"),),
        )
    return [int(offset) for offset in offsets]


def write_vector(vector: list[int]) -> str:
    """Return the id for these next offsets."""
    return ".".join(map(str, vector))
