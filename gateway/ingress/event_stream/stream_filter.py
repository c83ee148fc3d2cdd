"""The filter and the start position of an event stream, as its client requests them. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gateway.ingress.event_stream.streamed_event import StreamedEvent
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import InvalidHeader, InvalidParameter
from schemas.events import EVENTS
from schemas.field_types import is_id

_OFFSET = re.compile(r"[0-9]{1,18}")
_MAX_PARAMETERS = 200


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


def read_filter(query: bytes) -> StreamFilter:
    """Parse the query. Raises InvalidParameter for unknown names and values."""
    types, authorizations = set(), set()
    try:
        terms = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise _invalid_filter("query") from None
    for name, value in terms:
        if name == "type" and value in EVENTS:
            types.add(value)
        elif name == "authorizationId" and is_id(value):
            authorizations.add(value)
        else:
            raise _invalid_filter(name if name in {"type", "authorizationId"} else "query")
    return StreamFilter(frozenset(types), frozenset(authorizations))


def _invalid_filter(parameter: str) -> InvalidParameter:
    return InvalidParameter(
        f"Filter by type and authorizationId. Both are repeatable, {_MAX_PARAMETERS} parameters at most.",
        faults=(Fault("a type of /asyncapi.json, or an authorization's id", parameter=parameter),),
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
