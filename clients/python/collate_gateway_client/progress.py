"""What a program has received of an event stream: where to resume, which events repeat, which are missing. Pure."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from collate_gateway_client.sse import Frame

ENDED: Final = "stream.ended"
_REMEMBERED: Final = 20_000


class UnreadableEvent(Exception):
    """A frame or a body that is not a CloudEvent."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the gateway.

    Attributes:
        id: Unique within `source`.
        source: The scope of `sequence`: the installation, `/authorizations/`, and the authorization id.
        type: Such as `collate-gateway.handoff.opened.v1`.
        authorization_id: The authorization.
        sequence: The number of the event within its authorization, from 1, without gaps. Number 1 with a new `id`
            begins a new life of the authorization.
        time: When it was published (RFC 3339).
        data: The event's fields. `models.EventData` has the type for each `type`.
        position: Give it to `events(after=…)` to resume behind this event, also in another process. A webhook has none.
        missing: The number of events of this authorization that are absent between the last one and this one. 0 for
            the first event of an authorization, and for a stream with a filter by type.
        attributes: All attributes of the CloudEvent.
    """

    id: str
    source: str
    type: str
    authorization_id: str
    sequence: int
    time: str
    data: Any = field(repr=False)
    position: str = ""
    missing: int = 0
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)


class StreamProgress:
    """Follows the frames of one stream over all its connections. The numbers that it remembers are bounded."""

    def __init__(self, after: str | None, *, is_filtered_by_type: bool) -> None:
        """`after` is the position to resume behind; None begins now."""
        self.position = after
        self.end_reason: str | None = None
        self._is_filtered_by_type = is_filtered_by_type
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._sequences: OrderedDict[str, int] = OrderedDict()

    def take(self, frame: Frame) -> Event | None:
        """Return the frame's event, unless it is a repeat or no event. The position is behind this frame then.

        Raises UnreadableEvent.
        """
        if frame.position is not None:
            self.position = frame.position
        if frame.data is None:
            return None
        document = document_of(frame.data)
        if frame.type == ENDED:
            self.end_reason = str(document.get("reason", ""))
            return None
        event = event_of(document)
        if (identity := (event.source, event.id)) in self._seen:
            return None
        _remember(self._seen, identity, None)
        missing = self._missing(event.authorization_id, event.sequence)
        return replace(event, position=self.position or "", missing=missing)

    def _missing(self, authorization_id: str, sequence: int) -> int:
        last = self._sequences.get(authorization_id)
        _remember(self._sequences, authorization_id, sequence)
        if self._is_filtered_by_type or last is None:
            return 0
        # A smaller number begins the sequence of an authorization that the gateway had forgotten.
        return max(0, sequence - last - 1)


def event_of(document: Mapping[str, Any]) -> Event:
    """Return the event of a CloudEvent in structured mode, without a position. Raises UnreadableEvent."""
    try:
        return Event(
            str(document["id"]),
            str(document["source"]),
            str(document["type"]),
            str(document["subject"]),
            int(document["sequence"]),
            str(document["time"]),
            document.get("data"),
            attributes={name: value for name, value in document.items() if name != "data"},
        )
    except (KeyError, ValueError, TypeError):
        raise UnreadableEvent from None


def document_of(data: str | bytes) -> dict[str, Any]:
    """Return the JSON object of an event. Raises UnreadableEvent."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise UnreadableEvent from None
    if not isinstance(document, dict):
        raise UnreadableEvent
    return document


def _remember(memory: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
