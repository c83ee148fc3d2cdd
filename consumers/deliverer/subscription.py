"""A subscription: the receiver, its filter and its bounds. Immutable; a new version of the file makes new objects."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from adapters.http_connection.connection import Limits
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.target import WebhookTarget
from consumers.engine import Record, Turn
from schemas.cloudevents import Envelope

_MAX_RESPONSE_BODY = 64 << 10


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The filter of a subscription. An empty set, or no metadata, accepts every event."""

    types: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    metadata: tuple[tuple[str, frozenset[str]], ...] = ()

    def accepts(self, envelope: Envelope) -> bool:
        """Return whether the filter accepts the event. An event without a caller matches no filter on callers."""
        if self.types and envelope.type not in self.types:
            return False
        if not self.callers and not self.metadata:
            return True
        data = _object(envelope.data)
        if self.callers and data.get("caller") not in self.callers:
            return False
        if not self.metadata:
            return True
        found = data.get("metadata")
        pairs = found if isinstance(found, dict) else {}
        return all(pairs.get(key) in values for key, values in self.metadata)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of the file.

    Attributes:
        name: also a part of the group's and the topics' names.
        target: the receiver's URL.
        since: events that Kafka stored before this time (Unix seconds) are not delivered.
        accepts: the filter.
        secrets: signing secrets; each request has one signature for each.
        policy: the networks to which the deliverer may connect.
        ca_file: the receiver's certificate authorities; None for the system's.
        timeout_seconds: of one request in total.
        max_in_flight: the most requests of one process at a time.
        gives_up_after_seconds: the time from the first failed try of an event until it becomes a dead letter.
    """

    name: str
    target: WebhookTarget
    since: float
    accepts: EventFilter
    secrets: tuple[bytes, ...] = field(repr=False)
    policy: AddressPolicy = field(default_factory=AddressPolicy)
    ca_file: Path | None = None
    timeout_seconds: float = 15.0
    connect_timeout_seconds: float = 5.0
    max_in_flight: int = 32
    gives_up_after_seconds: float = 86_400.0

    @property
    def limits(self) -> Limits:
        """The bounds of one request. The response's body is bounded too, and discarded."""
        return Limits(
            connect_seconds=self.connect_timeout_seconds,
            write_seconds=self.timeout_seconds,
            read_seconds=self.timeout_seconds,
            total_seconds=self.timeout_seconds,
            max_body=_MAX_RESPONSE_BODY,
        )

    @property
    def connection_key(self) -> tuple[object, ...]:
        """The settings of a connection. If one of them changes, the deliverer opens new connections."""
        return self.target, self.policy, self.ca_file, self.timeout_seconds, self.connect_timeout_seconds


def turn_of(record: Record) -> Turn:
    """Return the event's caller (decision 0022). All events without one, which observations cause, are one sender."""
    caller = _object(record.value).get("caller")
    return Turn(caller if isinstance(caller, str) else "", is_urgent=False)


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        parsed = from_json(data or b"")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
