"""Events of authorizations."""

from typing import ClassVar

from pydantic import Field

from schemas.enums import Agreement, CloseReport, EventType
from schemas.events.event import PAYER_ID, VERSION, Event, PayerTruth, verdict
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Id, Slug, Word
from schemas.model import Example, Public
from schemas.sentences import at_version, in_parentheses, in_words, moment, seen
from schemas.times import Time


class AuthorizationChanged(Event):
    """The authorization has changed. The record on `authorizations` with the same `sequence` has the whole state."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_CHANGED
    EXAMPLE: ClassVar[Example] = {
        "from": "processing",
        "to": "waiting_on_payer",
        "receiptSeen": True,
        "decisionSeen": False,
        "version": 27,
    }

    from_status: Public[Word | None] = Field(
        default=None, alias="from", description="The old status; absent in the first event."
    )
    to_status: Public[Word] = Field(alias="to", description="The new status.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")
    version: Public[int | None] = VERSION

    def _sentence(self) -> str:
        if self.from_status == self.to_status:
            change = "has changed and its status is still"
        else:
            change = f"changed from {in_words(self.from_status)} to" if self.from_status else "has the status"
        proofs = seen(receipt=self.receipt_seen, decision=self.decision_seen)
        status = f"{in_words(self.to_status)}{in_parentheses(self.outcome)}{proofs}"
        return f"The authorization {change} {status}{at_version(self.version)}."


class AuthorizationActionRequired(Event):
    """Collate waits for an action."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_ACTION_REQUIRED
    EXAMPLE: ClassVar[Example] = {
        "action": "complete_payer_interaction",
        "resolution": "manual_handoff",
        "coversReviewSnapshotId": "rev_90",
        "payerId": "payer_example",
        "version": 23,
    }

    action: Public[Word] = Field(
        description="The next action's type; complete_payer_interaction needs a handoff, unless `resolution` names "
        "another resolution."
    )
    resolution: Public[Word | None] = Field(default=None, description="The kind of resolution of the next action.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The snapshot to accept before a handoff."
    )
    payer_id: Public[Id | None] = PAYER_ID
    version: Public[int | None] = VERSION

    def _sentence(self) -> str:
        snapshot = self.covers_review_snapshot_id
        covers = f"; review snapshot {snapshot} first" if snapshot else ""
        payer = f"; payer {self.payer_id}" if self.payer_id else ""
        return f"Collate waits for a person: {in_words(self.action)}{covers}{payer}{at_version(self.version)}."


class AuthorizationOverdue(Event):
    """The due date has passed, and no read has shown the authorization settled. Published once for each due date."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_OVERDUE
    EXAMPLE: ClassVar[Example] = {
        "dueAt": "2026-06-05T14:00:00Z",
        "status": "requires_action",
        "payerId": "payer_example",
        "version": 23,
        "metadata": {"case": "case-0042"},
    }

    due_at: Public[Time] = Field(description="The due date.")
    status: Public[Word] = Field(description="The last known status.")
    payer_id: Public[Id | None] = PAYER_ID
    version: Public[int | None] = VERSION
    metadata: Public[Metadata | None] = Field(
        default=None, description="The metadata of the command that stated the due date."
    )

    def _sentence(self) -> str:
        return f"Overdue: due at {moment(self.due_at)}, and still {in_words(self.status)}{at_version(self.version)}."


class AuthorizationSettled(Event):
    """The authorization is completed or canceled. Published once."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_SETTLED
    EXAMPLE: ClassVar[Example] = {
        "payer": {"status": "completed", "outcome": "approved", "receiptSeen": True, "decisionSeen": True},
        "handoffId": "mhand_55",
        "reported": "submitted",
        "agreement": "agrees",
        "payerId": "payer_example",
        "dueAt": "2026-06-05T14:00:00Z",
        "inTime": True,
        "version": 31,
    }

    payer: Public[PayerTruth] = Field(description="The payer's truth in the authorization.")
    handoff_id: Public[Id | None] = Field(default=None, description="The last handoff, if there was one.")
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report at its close.")
    agreement: Public[Agreement] = Field(description="Whether payer truth, now final, agrees with that report.")
    payer_id: Public[Id | None] = PAYER_ID
    due_at: Public[Time | None] = Field(default=None, description="The due date, if a command stated one.")
    in_time: Public[bool | None] = Field(
        default=None, description="Whether a read showed the end by the due date; absent without a due date."
    )
    version: Public[int | None] = VERSION

    def _sentence(self) -> str:
        in_time = ""
        if self.in_time is not None:
            due = "" if self.due_at is None else f" {moment(self.due_at)}"
            in_time = " In time." if self.in_time else f" After the due date{due}."
        return f"Settled: {self.payer.words()}. {verdict(self.agreement, self.reported)}{in_time}"


class AuthorizationWatchEnded(Event):
    """The gateway stopped watching an authorization that has not settled."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_WATCH_ENDED
    EXAMPLE: ClassVar[Example] = {
        "status": "waiting_on_payer",
        "watchedSince": "2026-06-02T14:00:00Z",
        "reason": "max_age",
        "version": 27,
    }

    status: Public[Word] = Field(description="The last known status.")
    watched_since: Public[Time] = Field(description="When the gateway began to watch it.")
    reason: Public[Slug] = Field(description="`max_age`, or `not_found` if Collate does not know the authorization.")
    version: Public[int | None] = VERSION

    def _sentence(self) -> str:
        return f"The watch ended ({in_words(self.reason)}). The last known status is {in_words(self.status)}."
