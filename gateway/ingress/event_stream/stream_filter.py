"""The filter and the start position of an event stream, as its client requests them. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gateway.ingress.event_stream.streamed_event import StreamedEvent
from gateway.ingress.http.problems import InvalidParameter
from runtime.http.problem import Fault
from runtime.http.problems import InvalidHeader
from schemas.events import EVENTS
from schemas.fields.scalars import is_id

_OFFSET = re.compile(r"[0-9]{1,18}")
_MOST_VALUES = 100  # of each parameter, as openapi.json says


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
    found: dict[str, list[str]] = {"type": [], "authorizationId": []}
    try:
        terms = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=2 * _MOST_VALUES)
    except ValueError:
        raise _invalid_filter("query") from None
    for name, value in terms:
        if name not in found:
            raise _invalid_filter("query")
        found[name].append(value)
        is_valid = value in EVENTS if name == "type" else is_id(value)
        if not is_valid or len(found[name]) > _MOST_VALUES:
            raise _invalid_filter(name)
    return StreamFilter(frozenset(found["type"]), frozenset(found["authorizationId"]))


def _invalid_filter(parameter: str) -> InvalidParameter:
    return InvalidParameter(
        f"Filter by type and authorizationId. Send each of them {_MOST_VALUES} times at most.",
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
