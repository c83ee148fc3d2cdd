"""A run as values: its commands and events, the effects at Collate, and the responses of callers.

`evidence` makes these values from the topics, the logs and the ledger of the simulated Collate. All times are Unix
seconds of one clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.promises.seen import SeenCommand, SeenEvent

# The events that end a command.
ENDS: Final = ("command.finished", "command.dead_lettered")


@dataclass(frozen=True, slots=True)
class CollateEffect:
    """An effect at Collate with its cause. `key` is the idempotency key of its call, None for a call without one."""

    kind: str
    at: float
    handoff_id: str | None
    by: str
    key: str | None = None
    result: str | None = None
    authorization_id: str = ""
    version: int = 0  # of the authorization, after the effect


@dataclass(frozen=True, slots=True)
class CollateRequest:
    """A write that Collate received: its key, and the parts that identify the request."""

    key: str
    request: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """The state of an authorization that Collate shows, with payer truth."""

    status: str
    outcome: str | None
    receipt: bool
    decision: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of a run, after all commands have ended."""

    commands: Sequence[SeenCommand]
    events: Sequence[SeenEvent]
    effects: Sequence[CollateEffect]
    requests: Sequence[CollateRequest] = ()
    accepted: frozenset[str] = frozenset()  # ids of the commands with a 202 or 200 response
    granted: frozenset[str] = frozenset()  # the operators that received a link; each name is used once
    dead_letters: Mapping[str, str] = field(default_factory=dict)  # the cause of each dead letter, by command id
    shown: Mapping[tuple[str, int], tuple[float, Truth]] = field(
        default_factory=dict
    )  # by authorization and version: since when, and the state
    reads: Mapping[str, Sequence[float]] = field(
        default_factory=dict
    )  # by authorization or handoff: when Collate answered a read of it
    records: Mapping[str, tuple[int, Truth]] = field(
        default_factory=dict
    )  # the last record on `authorizations`, by authorization
    leaks: Sequence[str] = ()  # places where a secret was found
