"""A subscription: who gets which events, where and how. Immutable; a new version of the file makes new ones."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from adapters.http.connection import Limits
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.target import WebhookTarget
from schemas.cloudevents import Envelope

_MAX_RESPONSE_BODY = 64 << 10


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events that a subscriber wants. An empty set, or no pair, accepts every event."""

    types: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    metadata: tuple[tuple[str, frozenset[str]], ...] = ()

    def accepts(self, envelope: Envelope) -> bool:
        """Return whether the subscriber wants the event. Without a caller or metadata, an event has none to match."""
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
        secrets: signing secrets; every request has a signature of each.
        policy: the networks that may be called.
        ca_file: the receiver's certificate authorities; None: the system's.
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
        """The bounds of one request. A response's body is thrown away, and has a bound."""
        return Limits(
            connect_seconds=self.connect_timeout_seconds,
            write_seconds=self.timeout_seconds,
            read_seconds=self.timeout_seconds,
            total_seconds=self.timeout_seconds,
            max_body=_MAX_RESPONSE_BODY,
        )

    @property
    def connection_key(self) -> tuple[object, ...]:
        """The settings of a connection: if one changes, new connections are needed."""
        return self.target, self.policy, self.ca_file, self.timeout_seconds, self.connect_timeout_seconds


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        parsed = from_json(data or b"")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
