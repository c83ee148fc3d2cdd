"""The worker's private state of one authorization, as the `state` topic holds it, the current intent included.

Owns the fields and their JSON; the reducer, the applier and the watcher change it. Immutable. Fields that a newer
version wrote are kept and written back. No free text, no reference number, no grant: the state holds no PHI.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.enums import Effect
from schemas.model import Trusting
from schemas.topics import DEAD_LETTER_DAYS

MOST_BYTES: Final = 256 * 1024
MOST_ENDED_INTENTS: Final = 8
MOST_DEAD_LETTERS: Final = 64
DEAD_LETTER_SECONDS: Final = DEAD_LETTER_DAYS * 24 * 3600.0
MOST_ENDED_HANDOFFS: Final = 16

# The names on disk of the fields that the code calls by another name. A name on disk never changes.
_STORED_NAMES: Final = MappingProxyType(
    {
        "inherited_n": "asked_n",
        "ambiguous": "maybe",
        "ended_intents": "past",
        "emitted_at": "told_at",
        "caused_by": "asked",
        "open_emitted": "told_open",
        "emitted_risks": "told_risks",
        "emitted_action": "told_action",
        "observations": "looks",
        "recent_commands": "remembered",
        "recent_callers": "remembered_by",
        "dead_letters": "dead",
    }
)


class StateUnreadable(Exception):
    """A `state` record that is not the JSON of an authorization's state."""


class StateTooLarge(Exception):
    """A state of more than 256 KiB. All known fields are bounded, so unknown fields must have grown."""


class Part(Trusting, BaseModel):
    """A part of the state: frozen, and tolerant of fields that this version does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        hide_input_in_errors=True,
        alias_generator=lambda name: _STORED_NAMES.get(name, name),
        populate_by_name=True,
    )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed. The values are not validated: callers are typed."""
        cls = type(self)
        if not changes.keys() <= cls._DEFAULTS.keys():
            raise TypeError(f"{cls.__name__} has no field {sorted(changes.keys() - cls._DEFAULTS.keys())}")
        return self.model_copy(update=changes)


class Intent(Part):
    """The write that may be in flight: every value that makes a resend identical (decision 0002).

    `version` is the authorization's version at the read that led to the write. `if_match` is the value of the header (a
    handoff's version under if_match_on_close = handoff). `body_digest` is keyed; the command record has the body.
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
    """A write of the same command that is over. `ended` is the code of the response, or our reason."""

    n: int
    operation: str
    key: str
    if_match: int
    version: int
    first_sent_at: float
    ended: str


class AmbiguousWrite(Part):
    """The first write of a command that may have had an effect: its authorization version and when it was sent."""

    version: int
    since: float


class CommandWork(Part):
    """The command that is being applied, from its first intent until its outcome.

    Attributes:
        n: the last n used; 0 in a rebuilt state, whose first write may have been sent (decision 0016).
        inherited_n: intents up to this n came with a redrive: an operator wants another write in spite of them.
        ambiguous: the first write with an ambiguous attempt; its effect may exist or still come.
    """

    command_id: str
    command: str
    caller: str
    redrive: int = 0
    n: int = 0
    inherited_n: int = 0
    ambiguous: AmbiguousWrite | None = None
    intent: Intent | None = None
    ended_intents: tuple[EndedIntent, ...] = ()


class Waiting(Part):
    """The last `command.waiting` that was published."""

    command_id: str
    redrive: int = 0
    reason: str
    until: float
    emitted_at: float


class Known(Part):
    """The authorization as last read. `whole` is false while only the response to a close has shown this version."""

    version: int
    whole: bool = True
    status: str
    outcome: str | None = None
    action: str | None = None
    resolution: str | None = None
    covers: str | None = None
    receipt: bool = False
    decision: bool = False
    payer: str | None = None


class CommandRef(Part):
    """The command that caused a change, for `causationid`, the metadata and the people of later events."""

    command_id: str
    metadata: dict[str, str] | None = None
    caller: str | None = None
    requested_by: str | None = None
    accepted_by: str | None = None


class Closer(Part):
    """Our close of a handoff: the report (a word, never free text) and, until it is reconciled, the command."""

    caused_by: CommandRef | None = None
    operation: str
    reported: str | None = None
    reason: str | None = None
    caller: str | None = None
    reported_by: str | None = None


class Claim(Part):
    """The person who has a handoff in hand, as a caller, and since when."""

    caller: str
    since: float


class Handoff(Part):
    """A handoff, from our first read of it.

    `open_version` is the highest authorization version at which the handoff was not closed, or may not have been.
    `grant_expiring_at`: when the last grant counts as expiring; None without a grant.
    `doubtful`: Collate was restored from a backup since the last read of the handoff, and may no longer know it.
    `end_seen_at`: when we read that the handoff had ended; until it is reconciled.
    """

    id: str
    version: int = 0
    state: str
    access_available: bool = False
    final_submit_capable: bool = False
    opened_at: float | None = None
    seen_at: float = 0.0
    open_version: int
    open_emitted: bool = False
    emitted_risks: tuple[str, ...] = ()
    doubtful: bool = False
    had_receipt: bool = False
    had_decision: bool = False
    grant_until: float | None = None
    grant_expiring_at: float | None = None
    opener: CommandRef | None = None
    opener_inferred: bool = False
    closer: Closer | None = None
    result: str | None = None
    by: str | None = None
    reported: str | None = None
    agreement: str | None = None
    closed_at: float | None = None
    end_seen_at: float | None = None
    claim: Claim | None = None


def first_command(handoff: Handoff | None, cause: str | None) -> str | None:
    """Return the first command of a flow: the request that opened the handoff if it is known, else the cause."""
    return handoff.opener.command_id if handoff is not None and handoff.opener is not None else cause


class Grant(Part):
    """The expiry of the last access grant for a handoff that was not yet seen open, and who has claimed it."""

    handoff_id: str
    until: float
    expiring_at: float | None = None
    claim: Claim | None = None


class Missing(Part):
    """Since when Collate has answered every observation with "not found", and the number of observations, up to 3."""

    since: float
    observations: int = 0


class WatchStatus(Part):
    """Since when and until when the authorization is watched. `moved_at` is the time of the last news."""

    since: float
    until: float
    moved_at: float
    failures: int = 0
    missing: Missing | None = None
    ended: bool = False


class Due(Part):
    """When the authorization is due, and the command that stated it: its acceptance, id and metadata (decision 0024).

    `overdue_at` is when `authorization.overdue` was published for this due date. A rebuilt state has no command.
    """

    at: float
    stated_at: float = 0.0
    stated_by: CommandRef | None = None
    overdue_at: float | None = None


class OpenDeadLetter(Part):
    """A dead letter that an operator may redrive or discard. It outlives the id in `recent_commands`.

    `digest` is the short digest of the command, in hex, and `shared_digest` that of its event; None for an unreadable
    record. `first` is the first command of its flow, if that is another one: the state may forget the handoff before
    the redrive. `effect` is `unknown` if a write so far may have changed Collate, else `none`.
    """

    redrive: int = 0
    at: float
    command: str
    caller: str
    digest: str | None = None
    metadata: dict[str, str] | None = None
    first: str | None = None
    shared_digest: str | None = None
    effect: str = Effect.UNKNOWN.value


class AuthorizationState(Part):
    """The whole state. `floor` is the highest version read; a read below it is stale and decides nothing.

    `unknown_caller`: while Collate has never shown the authorization, the caller whose command ended last, or its pool
    of people. It stays the first field, so that `unknown_caller_of` finds it without parsing (decision 0028).
    `action_required_at`: since when the type of `emitted_action` has been required; meaningless without it.
    `content_read_at`: when content was last read through the gateway, also of an authorization that is not watched.
    `life`: when the record of event 1 was appended, in Unix milliseconds. It is part of each event's id: the numbers
    start again at 1 after the state is deleted. None before event 1.
    `last_event_at`: the time of the last event; 0 before event 1, and in states that an older version wrote.
    `recent_forgotten`: by the tag of a caller, when its last command ended that lost its place in `recent_commands`.
    """

    unknown_caller: str | None = None
    sequence: int = 0
    life: int | None = None
    last_event_at: float = 0.0
    floor: int = 0
    known: Known | None = None
    active: Handoff | None = None
    last: Handoff | None = None
    early_grant: Grant | None = None
    ended: tuple[str, ...] = ()
    emitted_action: tuple[str | None, str | None, str | None] | None = None
    action_required_at: float | None = None
    content_read_at: float | None = None
    settled_at: float | None = None
    due: Due | None = None
    watch: WatchStatus | None = None
    work: CommandWork | None = None
    waiting: Waiting | None = None
    recent_commands: str = ""
    recent_callers: str = ""
    dead_letters: dict[str, OpenDeadLetter] = {}
    recent_forgotten: dict[str, float] = {}

    def handoff(self, handoff_id: str | None) -> Handoff | None:
        """Return the open or the last handoff, if it has this id."""
        return next((known for known in (self.active, self.last) if known is not None and known.id == handoff_id), None)

    def first_command(self, command_id: str, handoff_id: str | None) -> str:
        """Return the first command of a command's flow; `handoff_id` if it is a close. A redrive keeps its letter's."""
        letter = self.dead_letters.get(command_id)
        return (letter and letter.first) or first_command(self.handoff(handoff_id), None) or command_id

    def encode(self) -> bytes:
        """Return the JSON without default values; raise StateTooLarge."""
        encoded = self.model_dump_json(exclude_defaults=True, by_alias=True).encode()
        if len(encoded) > MOST_BYTES:
            raise StateTooLarge(f"a state of {len(encoded)} bytes; at most {MOST_BYTES}")
        return encoded

    @classmethod
    def decode(cls, encoded: bytes | None) -> AuthorizationState:
        """Read the bytes of `encode`, also of a newer version's; None is a new authorization. Raise StateUnreadable."""
        if encoded is None:
            return NEW
        try:
            return cls.model_validate_json(encoded)
        except ValidationError as error:
            raise StateUnreadable(f"{error.error_count()} fields of the state are not as expected") from None


NEW: Final = AuthorizationState()
_UNKNOWN: Final = b'{"unknown_caller":"'


def unknown_caller_of(encoded: bytes) -> bytes | None:
    """Return the caller to whom an unknown authorization counts; None if Collate has shown the authorization."""
    # The name of a caller has no character that JSON escapes.
    return encoded[len(_UNKNOWN) : encoded.index(b'"', len(_UNKNOWN))] if encoded.startswith(_UNKNOWN) else None
