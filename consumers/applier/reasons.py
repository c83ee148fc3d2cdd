"""Why a command ended as it did, or can't end yet: a stable slug for programs, a sentence for people.

Slugs are published: one that exists keeps its meaning. The sentences say what to do and hold nobody's input.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from consumers.authorization.wait_reasons import WaitReason


class _Sentence(StrEnum):
    advice: str

    def __new__(cls, slug: str, advice: str) -> Self:
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.advice = advice
        return member


class Reason(_Sentence):
    """Why a command was rejected, expired or discarded, or why an applied one names no handoff."""

    AUTHORIZATION_NOT_FOUND = (
        "authorization_not_found",
        "Check the authorization id and that it belongs to this environment and organization.",
    )
    AUTHORIZATION_COMPLETED = (
        "authorization_completed",
        "The authorization is completed; nothing more can be done to it.",
    )
    AUTHORIZATION_CANCELED = (
        "authorization_canceled",
        "The authorization is canceled; nothing more can be done to it.",
    )
    AUTHORIZATION_PROCESSING = (
        "authorization_processing",
        "Collate is working on the authorization; ask again when authorization.action_required asks for a handoff.",
    )
    WAITING_ON_PAYER = (
        "waiting_on_payer",
        "The payer has it; ask again when authorization.action_required asks for a handoff.",
    )
    ACTION_IS_NOT_A_HANDOFF = (
        "action_is_not_a_handoff",
        "The authorization needs something else first; its next action stands in the authorization's record.",
    )
    RESOLUTION_IS_NOT_A_HANDOFF = (
        "resolution_is_not_a_handoff",
        "Collate wants this action resolved in another way than by a handoff; see the authorization's next action.",
    )
    NO_ACTION_NAMED = (
        "no_action_named",
        "Collate asks for an action without naming it; wait for authorization.action_required and ask again.",
    )
    STATUS_UNKNOWN = (
        "status_unknown",
        "Collate shows a status that this gateway doesn't know; ask its operators to update it.",
    )
    REVIEW_SNAPSHOT_REQUIRED = (
        "review_snapshot_required",
        "Show the review snapshot to a reviewer and ask again with its id as acceptedReviewSnapshotId.",
    )
    REVIEW_SNAPSHOT_STALE = (
        "review_snapshot_stale",
        "The accepted review snapshot isn't the current one; let the reviewer accept the current one and ask again.",
    )
    HANDOFF_NOT_FOUND = (
        "handoff_not_found",
        "This authorization has no such handoff; take the id from handoff.opened or from the command that opened it.",
    )
    HANDOFF_EXPIRED = (
        "handoff_expired",
        "The handoff was ended by Collate before this close; what the operator did is found by reconciliation.",
    )
    HANDOFF_LOST = (
        "handoff_lost",
        "The payer session was lost before this close; what the operator did is found by reconciliation.",
    )
    HANDOFF_CANCELED = (
        "handoff_canceled",
        "The authorization was canceled, and the handoff with it.",
    )
    HANDOFF_REVOKED = (
        "handoff_revoked",
        "The handoff was revoked before this close; the report was not recorded.",
    )
    HANDOFF_REPORTED_UNABLE = (
        "handoff_reported_unable",
        "The handoff was already closed as unable to complete; this close was not recorded.",
    )
    HANDOFF_REPORTED_COMPLETED = (
        "handoff_reported_completed",
        "The handoff was already closed as completed, with another or an unknown report; this close was not recorded.",
    )
    HANDOFF_CLOSED = (
        "handoff_closed",
        "The handoff has already ended; this close was not recorded.",
    )
    NOT_ALLOWED = (
        "not_allowed_by_collate",
        "Collate refuses this although the authorization seems to ask for it; look at it in Collate first.",
    )
    FORBIDDEN = (
        "forbidden",
        "Collate doesn't let this gateway's key act on this authorization; ask Collate for access.",
    )
    REQUIREMENTS_OPEN = (
        "requirements_not_satisfied",
        "Resolve the authorization's open requirements first, then ask again.",
    )
    EXPIRED = (
        "expired",
        "It was not begun before its expiresAt; nothing was sent to Collate, so ask again if it is still wanted.",
    )
    DISCARDED = (
        "discarded",
        "An operator gave it up; send a new command if it is still wanted.",
    )
    TOO_MANY_COMMANDS = (
        "too_many_commands",
        "This authorization had 1,024 commands in 24 hours; send fewer.",
    )
    OPENING_NOT_IDENTIFIED = (
        "opening_not_identified",
        "A handoff is open, maybe not the one that this command opened; take its id from the authorization's record.",
    )
    NOT_DEAD_LETTERED = (
        "not_dead_lettered",
        "There is no such dead letter any more: it was redriven, discarded, or is too old; send a new command.",
    )


class DeadLetterCause(_Sentence):
    """Why a command became a dead letter."""

    INVALID_RECORD = (
        "invalid_record",
        "The record on the commands topic can't be read; find out what wrote it.",
    )
    OUTCOME_UNKNOWN = (
        "outcome_unknown",
        "A write may have taken effect, nothing shows it: look in Collate, then redrive (may write again) or discard.",
    )
    RECORD_LOST = (
        "record_lost",
        "A write may be in flight whose command record is gone; look at the authorization in Collate, then discard.",
    )
    TOO_OLD = (
        "too_old",
        "It could not be finished within its life; see its last command.waiting, then redrive or discard.",
    )
    HANDLER_FAILED = (
        "handler_failed",
        "The gateway failed on it again and again; see the error log, redrive after a fix.",
    )
    TOO_MANY_WRITES = (
        "too_many_writes",
        "Collate refused eight different requests although each read asked for one; see the attempts' codes.",
    )
    REQUEST_REFUSED = (
        "request_refused",
        "Collate can't read our request or refuses it for a reason we don't know; see the attempts' codes.",
    )
    FORBIDDEN = (
        "forbidden",
        "Collate forbids it now, but an earlier attempt may have taken effect; look at the authorization in Collate.",
    )


WAITING: Final = MappingProxyType(
    {
        WaitReason.RETRY_AFTER: "Collate asked us to wait before the next try.",
        WaitReason.RATE_LIMITED: "Collate limits how often we may ask; the next try waits for its turn.",
        WaitReason.BREAKER: "Collate fails on everything at the moment; the next try comes when it answers again.",
        WaitReason.BUDGET: "Other calls to Collate go first; the next try waits for its turn.",
        WaitReason.CREDENTIALS: "Collate refuses our API key; work goes on by itself once the key is right.",
        WaitReason.FORBIDDEN: "Collate forbids us several authorizations; work resumes once access is restored.",
        WaitReason.STALE_READ: "Collate shows an older state than it showed before; it is read again.",
        WaitReason.CLOSING: "The handoff is being closed; the command goes on when it is closed.",
        WaitReason.BACKOFF: "The last call had no definite answer; the same request is sent again.",
        WaitReason.HANDLER_FAILED: "The gateway failed on it more than once and retries; its operators are alerted.",
    }
)
"""Behind every reason to wait, a sentence for the reader of `command.waiting`.

Whatever way a turn fails (`handler_hung`, `too_large`), the next one tells it as `handler_failed`. Where the memory
can't be read (`memory_unreadable`) nothing can be published, since the memory numbers the events.
"""
