"""What is remembered of one authorization, in the `state` topic: the worker's private memory, intents included.

Owns the shape and the JSON; what changes it is `reducer`, the applier and the watcher. Immutable. Fields that a newer
version of us wrote are kept and written back. No free text, no reference number, no grant: nothing here is PHI.
"""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

LARGEST: Final = 256 * 1024
MOST_PAST: Final = 8
MOST_DEAD: Final = 64
DEAD_KEPT_SECONDS: Final = 30 * 24 * 3600.0
MOST_ENDED: Final = 16


class StateUnreadable(Exception):
    """A `state` record that is no memory: expected JSON of ours, found something else; see the decision in 0002."""


class StateTooLarge(Exception):
    """A memory over 256 KiB: nothing of ours grows so far, so unknown fields must have."""


class Part(BaseModel):
    """A piece of memory: frozen, and tolerant of fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    def but(self, **changes: Any) -> Self:
        """Return it with some fields changed (not validated: callers are ours and typed)."""
        cls = type(self)
        if not changes.keys() <= cls.__pydantic_fields__.keys():
            raise TypeError(f"{cls.__name__} has no field {sorted(changes.keys() - cls.__pydantic_fields__.keys())}")
        # What model_copy does, at a quarter of its time: this runs a dozen times per command.
        changed = cls.__new__(cls)
        set_on = object.__setattr__
        set_on(changed, "__dict__", self.__dict__ | changes)
        set_on(changed, "__pydantic_extra__", self.__pydantic_extra__)
        set_on(changed, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        set_on(changed, "__pydantic_private__", None)
        return changed


class Intent(Part):
    """The write that may be in flight: everything that makes a resend identical (decision 0002).

    `version` is the authorization's at the read that it was made from; `if_match` is what the header says (a handoff's
    version under if_match_on_close = handoff). `body_digest` is keyed; the body itself stands in the command record.
    """

    n: int
    operation: str
    handoff_id: str | None = None
    if_match: int
    version: int
    key: str
    body_digest: str
    first_sent_at: float


class EndedIntent(Part):
    """A write of the same command that is over."""

    n: int
    operation: str
    key: str
    if_match: int
    version: int
    first_sent_at: float
    ended: str


class AmbiguousWrite(Part):
    """The first write of a command that may have been applied: the version it was made from, and since when."""

    version: int
    since: float


class CommandWork(Part):
    """The command that is being applied, from its first intent until its outcome.

    `n`: the last n used. `asked_n`: intents up to this n came with a redrive: a person asks again in spite of them.
    `maybe`: an intent that has ended had an ambiguous attempt, so its effect may be seen or still come.
    """

    command_id: str
    command: str
    caller: str
    redrive: int = 0
    n: int = 0
    asked_n: int = 0
    maybe: AmbiguousWrite | None = None
    intent: Intent | None = None
    past: tuple[EndedIntent, ...] = ()


class Waiting(Part):
    """The last `command.waiting` that was published."""

    command_id: str
    redrive: int = 0
    reason: str
    until: float
    told_at: float


class Known(Part):
    """The authorization as last seen. `whole` is false while only a close's answer told of this version."""

    version: int
    whole: bool = True
    status: str
    outcome: str | None = None
    action: str | None = None
    resolution: str | None = None
    covers: str | None = None
    receipt: bool = False
    decision: bool = False


class LastCommand(Part):
    """The command behind something, for `causationid` and metadata of later events."""

    command_id: str
    metadata: dict[str, str] | None = None


class Closer(Part):
    """Our close of a handoff: what was reported (a word, never free text), and until it is reconciled, who asked."""

    asked: LastCommand | None = None
    operation: str
    reported: str | None = None
    reason: str | None = None


class Handoff(Part):
    """A handoff, from when we first saw it.

    `open_version`: the highest authorization version at which it was, or may have been, not closed.
    """

    id: str
    version: int = 0
    state: str
    access_available: bool = False
    final_submit_capable: bool = False
    opened_at: float | None = None
    seen_at: float = 0.0
    open_version: int
    told_open: bool = False
    told_risks: tuple[str, ...] = ()
    had_receipt: bool = False
    had_decision: bool = False
    grant_until: float | None = None
    opener: LastCommand | None = None
    closer: Closer | None = None
    result: str | None = None
    by: str | None = None
    reported: str | None = None
    agreement: str | None = None


class Grant(Part):
    """The last link into a handoff that was not seen open yet: until when it is good."""

    handoff_id: str
    until: float


class Missing(Part):
    """Since when, and how often up to a few, Collate has said at every look that it knows no such authorization."""

    since: float
    looks: int = 0


class Watch(Part):
    """Since when and until when it is followed. `moved_at`: when something new was last seen."""

    since: float
    until: float
    moved_at: float
    failures: int = 0
    missing: Missing | None = None
    ended: bool = False


class OpenDeadLetter(Part):
    """A dead-lettered command that a person may redrive or discard; it outlives its entry in `remembered`.

    `digest`: what `remembered` kept of what was asked, in hex; none of a record that couldn't be read, or of an older
    memory's.
    """

    redrive: int = 0
    at: float
    command: str
    caller: str
    digest: str | None = None
    metadata: dict[str, str] | None = None


class AuthorizationState(Part):
    """All of it. `floor`: the highest version seen; a read below it is stale and decides nothing."""

    sequence: int = 0
    floor: int = 0
    known: Known | None = None
    active: Handoff | None = None
    last: Handoff | None = None
    early_grant: Grant | None = None
    ended: tuple[str, ...] = ()
    told_action: tuple[str | None, str | None, str | None] | None = None
    settled_at: float | None = None
    watch: Watch | None = None
    work: CommandWork | None = None
    waiting: Waiting | None = None
    remembered: str = ""
    dead: dict[str, OpenDeadLetter] = {}

    def encode(self) -> bytes:
        """Return the JSON; absent rather than default. Raises MemoryTooLarge."""
        encoded = self.__pydantic_serializer__.to_json(self, exclude_defaults=True)
        if len(encoded) > LARGEST:
            raise StateTooLarge(f"a memory of {len(encoded)} bytes; at most {LARGEST}")
        return encoded

    @classmethod
    def decode(cls, encoded: bytes | None) -> AuthorizationState:
        """Read what `encode` wrote, here or in a newer version; None is an authorization never met."""
        if encoded is None:
            return FRESH
        try:
            return cls.model_validate_json(encoded)
        except ValidationError as error:
            raise StateUnreadable(f"{error.error_count()} fields of the memory are not as expected") from None


FRESH: Final = AuthorizationState()
