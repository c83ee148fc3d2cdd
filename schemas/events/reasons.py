"""Why a command ended as it did, or became a dead letter. A stable slug for programs, a sentence for people.

Slugs are published: an existing slug keeps its meaning. The sentences give advice and contain no input.
"""

from enum import StrEnum
from typing import Final, Self


class AdvisedSlug(StrEnum):
    """A slug with a sentence of advice, and the same for people where the first names fields or events."""

    advice: str
    for_people: str

    def __new__(cls, slug: str, advice: str, for_people: str = "") -> Self:
        """Return a member whose value is the slug."""
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.advice, member.for_people = advice, for_people or advice
        return member


class OutcomeReason(AdvisedSlug):
    """Why a command was rejected, expired or discarded, or why an applied command names no handoff."""

    AUTHORIZATION_NOT_FOUND = (
        "authorization_not_found",
        "Check the authorization id, and that it belongs to this environment and organization.",
    )
    AUTHORIZATION_COMPLETED = (
        "authorization_completed",
        "The authorization is completed; it accepts no further commands.",
    )
    AUTHORIZATION_CANCELED = (
        "authorization_canceled",
        "The authorization is canceled; it accepts no further commands.",
    )
    AUTHORIZATION_PROCESSING = (
        "authorization_processing",
        "Collate works on the authorization; wait until Collate asks for a person again.",
    )
    WAITING_ON_PAYER = (
        "waiting_on_payer",
        "The payer has the authorization; wait until Collate asks for a person again.",
    )
    ACTION_IS_NOT_A_HANDOFF = (
        "action_is_not_a_handoff",
        "The authorization requires another action first; see the next action in its record.",
    )
    RESOLUTION_IS_NOT_A_HANDOFF = (
        "resolution_is_not_a_handoff",
        "A handoff does not resolve this action; see the authorization's next action.",
    )
    NO_ACTION_NAMED = (
        "no_action_named",
        "Collate requires an action but does not name it; wait until Collate asks for a person again.",
    )
    STATUS_UNKNOWN = (
        "status_unknown",
        "Collate shows a status that this gateway does not know; its operators must update the gateway.",
    )
    REVIEW_SNAPSHOT_REQUIRED = (
        "review_snapshot_required",
        "Let a reviewer accept the review snapshot, then send its id as acceptedReviewSnapshotId.",
        "Read the review snapshot and accept it first.",
    )
    REVIEW_SNAPSHOT_STALE = (
        "review_snapshot_stale",
        "The accepted review snapshot is not the current one; let a reviewer read and accept the current one.",
    )
    HANDOFF_NOT_FOUND = (
        "handoff_not_found",
        "The authorization has no such handoff; use the id of the handoff in the authorization's record.",
    )
    NOT_THE_OPENER = (
        "not_the_opener",
        "The caller may close only the handoffs that it opened; let the caller that opened it, or a person, close it.",
    )
    CLAIMED_BY_ANOTHER = (
        "claimed_by_another",
        "Another person has the handoff in hand; ask them first, or send a new close with takeOver: true.",
        "Another person has the handoff in hand; ask them first, or report in their place.",
    )
    HANDOFF_EXPIRED = (
        "handoff_expired",
        "Collate ended the handoff before this close; reconciliation finds the result of the operator's work.",
    )
    HANDOFF_LOST = (
        "handoff_lost",
        "The payer session was lost before this close; reconciliation finds the result of the operator's work.",
    )
    HANDOFF_CANCELED = (
        "handoff_canceled",
        "The handoff ended when the authorization was canceled.",
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
        "The handoff was already closed as completed, with a different or unknown report; this close was not recorded.",
    )
    HANDOFF_CLOSED = (
        "handoff_closed",
        "The handoff has already ended; this close was not recorded.",
    )
    NOT_ALLOWED = (
        "not_allowed_by_collate",
        "Collate refuses the command although the authorization seems to require it; check Collate.",
    )
    FORBIDDEN = (
        "forbidden",
        "This gateway's API key has no access to the authorization; request access from Collate.",
    )
    REQUIREMENTS_OPEN = (
        "requirements_not_satisfied",
        "Resolve the authorization's open requirements, then send a new command.",
    )
    EXPIRED = (
        "expired",
        "The command expired before its first write, so nothing was sent to Collate; send a new command if needed.",
    )
    DISCARDED = (
        "discarded",
        "An operator discarded the command; send a new command if needed.",
    )
    TOO_MANY_COMMANDS = (
        "too_many_commands",
        "The caller sent 192 commands for this authorization in 24 hours; send fewer, or let an operator help.",
    )
    TOO_MANY_DEAD_LETTERS = (
        "too_many_dead_letters",
        "Newer dead letters of the caller took its place; check Collate, then send a new command if needed.",
    )
    OPENING_NOT_IDENTIFIED = (
        "opening_not_identified",
        "A handoff is open, but another actor may have opened it; use the id in the authorization's record.",
    )
    WRITES_OFF = (
        "writes_off",
        "This gateway is a shadow: it sends no write to Collate.",
    )
    NOT_DEAD_LETTERED = (
        "not_dead_lettered",
        "The dead letter no longer exists: it was redriven, discarded, or is too old; send a new command.",
    )


class DeadLetterCause(AdvisedSlug):
    """Why a command became a dead letter."""

    INVALID_RECORD = (
        "invalid_record",
        "The record on the commands topic is unreadable; find out which program wrote it.",
    )
    UNDECRYPTABLE = (
        "undecryptable",
        "No key of the worker opens the command: add the key that the error log names, then redrive.",
    )
    OUTCOME_UNKNOWN = (
        "outcome_unknown",
        "A write may have had an effect that no read shows: check Collate, then redrive (may write again) or discard.",
    )
    RECORD_LOST = (
        "record_lost",
        "A write may have had an effect, but its command record is gone; check Collate, then discard.",
    )
    TOO_OLD = (
        "too_old",
        "The command reached its maximum age; see in the timeline why it waited, then redrive or discard.",
    )
    HANDLER_FAILED = (
        "handler_failed",
        "The gateway failed on the command repeatedly; see the error log, and redrive after a fix.",
    )
    TOO_MANY_WRITES = (
        "too_many_writes",
        "Collate refused eight different requests although each read required one; see the codes of the attempts.",
    )
    REQUEST_REFUSED = (
        "request_refused",
        "Collate cannot read our request, or refuses it for an unknown reason; see the codes of the attempts.",
    )
    FORBIDDEN = (
        "forbidden",
        "Collate denies access now, but an earlier attempt may have had an effect; check the authorization in Collate.",
    )


_FOR_PEOPLE: Final[dict[str, str]] = {each.advice: each.for_people for each in (*OutcomeReason, *DeadLetterCause)}


def for_people(advice: str | None) -> str:
    """Return the sentence for people of an advice; an advice of another version is shown as it is."""
    return _FOR_PEOPLE.get(advice or "", advice or "")
