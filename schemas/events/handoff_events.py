"""Events of handoffs."""

from typing import ClassVar

from pydantic import Field

from schemas.enums import Agreement, AssertedBy, ClaimCheck, ClosedBy, CloseReport, Effect, EventType
from schemas.events.event import (
    ACCEPTED_BY,
    ASSERTED_BY,
    METADATA,
    PAYER_ID,
    REPORTED_BY,
    REQUESTED_BY,
    VERSION,
    WHO_ASSERTS,
    Event,
    PayerTruth,
    verdict,
)
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Advice, Id, Name, Slug, Word
from schemas.model import Example, Public
from schemas.sentences import at_version, in_words, moment, people, through
from schemas.times import Time

_HANDOFF = Field(description="Collate's id of the handoff.")
_ENDERS = {ClosedBy.US: "the gateway", ClosedBy.OTHER: "another actor", ClosedBy.LOSS: "loss of the session"}


class HandoffOpened(Event):
    """A handoff is active."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_OPENED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "accessAvailable": True,
        "finalSubmitCapable": True,
        "openedAt": "2026-06-02T14:06:01Z",
        "payerId": "payer_example",
        "effect": "ours",
        "caller": "people:jo.miller",
        "requestedBy": "jo.miller",
        "acceptedBy": "jo.miller",
        "assertedBy": "person",
        "version": 24,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    access_available: Public[bool] = Field(description="Whether an access grant can be created.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator can submit to the payer.")
    opened_at: Public[Time | None] = Field(default=None, description="When the handoff opened, by Collate's clock.")
    payer_id: Public[Id | None] = PAYER_ID
    effect: Public[Effect | None] = Field(
        default=None,
        description="For a handoff that a command opened: ours (Collate's response proves it) or inferred (from a "
        "read). Absent for a handoff of another actor.",
    )
    caller: Public[Name | None] = Field(
        default=None, description="The caller whose command opened the handoff, as far as `effect` says."
    )
    requested_by: Public[Name | None] = REQUESTED_BY
    accepted_by: Public[Name | None] = ACCEPTED_BY
    asserted_by: Public[AssertedBy | None] = ASSERTED_BY
    version: Public[int | None] = VERSION
    metadata: Public[Metadata | None] = METADATA

    def _sentence(self) -> str:
        access = "access is available" if self.access_available else "access is not available yet"
        by = people(requested=self.requested_by, accepted=self.accepted_by)
        return f"Handoff {self.handoff_id} is open: {access}{by}{at_version(self.version)}."


class HandoffClosed(Event):
    """A handoff has ended. The report is the operator's, not payer truth."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_CLOSED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "result": "completed_reported",
        "by": "us",
        "closedAt": "2026-06-02T14:30:00Z",
        "reported": "submitted",
        "caller": "people:jo.miller",
        "reportedBy": "jo.miller",
        "assertedBy": "person",
        "version": 25,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    result: Public[Word] = Field(description="The handoff's result, in Collate's words.")
    by: Public[ClosedBy] = Field(description="The cause of its end.")
    closed_at: Public[Time | None] = Field(
        default=None, description="When it closed, by Collate's clock; absent if no read of it showed the end."
    )
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report, if known.")
    reason: Public[Slug | None] = Field(default=None, description="Why the operator was unable to complete it.")
    caller: Public[Name | None] = Field(default=None, description="The caller that closed it, if by us.")
    reported_by: Public[Name | None] = REPORTED_BY
    asserted_by: Public[AssertedBy | None] = ASSERTED_BY
    version: Public[int | None] = VERSION
    metadata: Public[Metadata | None] = METADATA

    def _sentence(self) -> str:
        person = f" by {self.reported_by}" if self.reported_by else ""
        reported = f"; reported: {in_words(self.reported)}{person}" if self.reported else ""
        closed = f" at {moment(self.closed_at)}" if self.closed_at else ""
        how = f"{in_words(self.result)}, by {_ENDERS.get(self.by, self.by)}{reported}"
        return f"Handoff {self.handoff_id} is closed{closed}: {how}{at_version(self.version)}."


class HandoffReconciled(Event):
    """Collate has reconciled a closed handoff with the payer. Published once per handoff."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_RECONCILED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "reported": "submitted",
        "payer": {"status": "waiting_on_payer", "receiptSeen": True, "decisionSeen": False},
        "agreement": "agrees",
        "payerId": "payer_example",
        "version": 27,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report, if known.")
    payer: Public[PayerTruth] = Field(description="The payer's truth in the authorization.")
    agreement: Public[Agreement] = Field(description="Whether payer truth agrees with the report.")
    payer_id: Public[Id | None] = PAYER_ID
    version: Public[int | None] = VERSION
    metadata: Public[Metadata | None] = METADATA

    def _sentence(self) -> str:
        return f"Reconciled: {self.payer.words()}. {verdict(self.agreement, self.reported)}"


class HandoffAccessGranted(Event):
    """An operator received a link into the live session. A link that is returned again is another event."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_ACCESS_GRANTED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "operator": "op-7",
        "assertedBy": "caller",
        "caller": "intake",
        "expiresAt": "2026-06-02T14:15:00Z",
    }

    handoff_id: Public[Id] = _HANDOFF
    operator: Public[Name] = Field(description="The operator who received the link.")
    asserted_by: Public[AssertedBy] = Field(description=WHO_ASSERTS)
    caller: Public[Name] = Field(description="The authenticated caller that received the link.")
    expires_at: Public[Time] = Field(description="When the link expires.")
    claim_check: Public[ClaimCheck | None] = Field(
        default=None,
        description="For people: whether another person's claim was looked for. skipped: claims were unknown. "
        "Absent for services.",
    )

    def _sentence(self) -> str:
        unchecked = " Whether another person had it in hand was not known."
        access = f"{self.operator} received access to handoff {self.handoff_id}{through(self.caller)}"
        skipped = unchecked if self.claim_check == ClaimCheck.SKIPPED else ""
        return f"{access} until {moment(self.expires_at)}.{skipped}"


class HandoffAccessChanged(Event):
    """Access to an open handoff has changed: whether a grant can be created, or whether the operator can submit."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_ACCESS_CHANGED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "state": "active",
        "accessAvailable": False,
        "finalSubmitCapable": True,
        "version": 24,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    state: Public[Word] = Field(description="The handoff's state, in Collate's words.")
    access_available: Public[bool] = Field(description="Whether an access grant can be created now.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator can submit to the payer now.")
    version: Public[int | None] = VERSION
    metadata: Public[Metadata | None] = Field(default=None, description="The metadata of the request command.")

    def _sentence(self) -> str:
        state = "is closing: " if self.state == "closing" else "has changed: "
        access = "access is available" if self.access_available else "access is not available"
        submit = "" if self.final_submit_capable else ", without the final submission"
        return f"Handoff {self.handoff_id} {state}{access}{submit}{at_version(self.version)}."


class HandoffClaimed(Event):
    """A person has an open handoff in hand: they opened it, got into it first, or took it over."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_CLAIMED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "by": "jo.miller",
        "caller": "people:jo.miller",
        "takenOverFrom": "people:sam.lee",
    }

    handoff_id: Public[Id] = _HANDOFF
    by: Public[Name] = Field(description="The person, as their own token has the name.")
    caller: Public[Name] = Field(description="The same person as a caller.")
    taken_over_from: Public[Name | None] = Field(
        default=None, description="The caller's name of the person who had claimed it before."
    )

    def _sentence(self) -> str:
        before = f", taken over from {self.taken_over_from}" if self.taken_over_from else ""
        return f"{self.by} has handoff {self.handoff_id} in hand{before}{through(self.caller)}."


class HandoffReleased(Event):
    """The person who had claimed an open handoff has given it back."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_RELEASED
    EXAMPLE: ClassVar[Example] = {"handoffId": "mhand_55", "by": "jo.miller", "caller": "people:jo.miller"}

    handoff_id: Public[Id] = _HANDOFF
    by: Public[Name] = Field(description="The person, as their own token has the name.")
    caller: Public[Name] = Field(description="The same person as a caller.")

    def _sentence(self) -> str:
        return f"{self.by} gave handoff {self.handoff_id} back{through(self.caller)}."


class HandoffAtRisk(Event):
    """Collate may soon end an active handoff."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_AT_RISK
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "reason": "grant_expired",
        "advice": "The operator's last link has expired: get a new one, or close the handoff.",
        "endsAt": "2026-06-02T14:30:00Z",
        "version": 24,
    }

    handoff_id: Public[Id] = _HANDOFF
    reason: Public[Slug] = Field(
        description="`not_entered`, `grant_expiring`, `grant_expired`, `abandonment` or `open_too_long`."
    )
    advice: Public[Advice | None] = Field(default=None, description="What to do, in one sentence.")
    ends_at: Public[Time | None] = Field(
        default=None,
        description="When Collate is expected to end the handoff as abandoned, unless a new grant is created. It comes "
        "from the gateway's setting `collate.abandonment_after`, because Collate does not document its limit.",
    )
    version: Public[int | None] = VERSION
    metadata: Public[Metadata | None] = METADATA

    def _sentence(self) -> str:
        ends = f" The handoff may end at {moment(self.ends_at)}." if self.ends_at else ""
        return f"Handoff {self.handoff_id} is at risk ({in_words(self.reason)}). {self.advice or ''}{ends}"
