"""What a client of the event stream asks for: which events, and from where. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gateway.ingress.event_stream.streamed_event import StreamedEvent
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import InvalidHeader, InvalidParameter
from schemas.events import EVENTS
from schemas.field_types import is_id

_OFFSET = re.compile(r"[0-9]{1,18}")
_MOST_TERMS = 200


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """Which events a client wants; empty sets want all."""

    types: frozenset[str] = frozenset()
    authorizations: frozenset[str] = frozenset()

    def accepts(self, happening: StreamedEvent) -> bool:
        """Whether the client wants this one."""
        return (not self.types or happening.type in self.types) and (
            not self.authorizations or happening.authorization_id in self.authorizations
        )


def read_filter(query: bytes) -> StreamFilter:
    """Read the query; raises InvalidParameter for names and values that mean nothing."""
    types, authorizations = set(), set()
    try:
        terms = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_TERMS)
    except ValueError:
        raise _not_a_filter("query") from None
    for name, value in terms:
        if name == "type" and value in EVENTS:
            types.add(value)
        elif name == "authorizationId" and is_id(value):
            authorizations.add(value)
        else:
            raise _not_a_filter(name if name in {"type", "authorizationId"} else "query")
    return StreamFilter(frozenset(types), frozenset(authorizations))


def _not_a_filter(parameter: str) -> InvalidParameter:
    return InvalidParameter(
        f"Filter by type and authorizationId, each as often as you like, {_MOST_TERMS} in all.",
        faults=(Fault("a type of /asyncapi.json, or an authorization's id", parameter=parameter),),
    )


def read_vector(header: bytes | None, partitions: int) -> list[int] | None:
    """Read a Last-Event-ID; raises InvalidHeader for one that is not ours."""
    if not header:
        return None
    offsets = header.decode("latin-1").split(".")
    if len(offsets) != partitions or not all(_OFFSET.fullmatch(offset) for offset in offsets):
        raise InvalidHeader(
            "Send the id of the last event that you have, unchanged, or none.",
            faults=(Fault("an id that this stream has sent", header="Last-Event-ID"),),
        )
    return [int(offset) for offset in offsets]


def write_vector(vector: list[int]) -> str:
    """Return the id for these next offsets."""
    return ".".join(map(str, vector))
