"""The vocabularies of commands, events and records."""

from schemas.fields.scalars import Vocabulary

PREFIX = "collate-gateway."


def short_type(type_: str) -> str:
    """Return the type of a command or event without the common prefix and the version: `handoff.close`."""
    return type_.removeprefix(PREFIX).rpartition(".")[0] or type_


def full_type(short: str) -> str:
    """Return the type whose short form this is, in its first version."""
    return f"{PREFIX}{short}.v1"


class CommandType(Vocabulary):
    """The type of a command from a service, an operator or the gateway itself."""

    HANDOFF_REQUEST = f"{PREFIX}handoff.request.v1"
    HANDOFF_CLOSE = f"{PREFIX}handoff.close.v1"
    AUTHORIZATION_WATCH = f"{PREFIX}authorization.watch.v1"
    HANDOFF_RECORD_ACCESS = f"{PREFIX}handoff.record_access.v1"
    COMMAND_REDRIVE = f"{PREFIX}command.redrive.v1"
    COMMAND_DISCARD = f"{PREFIX}command.discard.v1"
    AUTHORIZATION_EMPTY_RECENT_COMMANDS = f"{PREFIX}authorization.empty_recent_commands.v1"
    AUTHORIZATION_LOWER_VERSION_FLOOR = f"{PREFIX}authorization.lower_version_floor.v1"
    AUTHORIZATION_RECORD_READ = f"{PREFIX}authorization.record_read.v1"
    HANDOFF_RELEASE = f"{PREFIX}handoff.release.v1"


class EventType(Vocabulary):
    """The type of an event on `events`."""

    COMMAND_FINISHED = f"{PREFIX}command.finished.v1"
    COMMAND_WAITING = f"{PREFIX}command.waiting.v1"
    COMMAND_DEAD_LETTERED = f"{PREFIX}command.dead_lettered.v1"
    COMMAND_KEY_CONFLICT = f"{PREFIX}command.key_conflict.v1"
    HANDOFF_OPENED = f"{PREFIX}handoff.opened.v1"
    HANDOFF_CLOSED = f"{PREFIX}handoff.closed.v1"
    HANDOFF_RECONCILED = f"{PREFIX}handoff.reconciled.v1"
    HANDOFF_ACCESS_GRANTED = f"{PREFIX}handoff.access_granted.v1"
    HANDOFF_ACCESS_CHANGED = f"{PREFIX}handoff.access_changed.v1"
    HANDOFF_CLAIMED = f"{PREFIX}handoff.claimed.v1"
    HANDOFF_RELEASED = f"{PREFIX}handoff.released.v1"
    HANDOFF_AT_RISK = f"{PREFIX}handoff.at_risk.v1"
    AUTHORIZATION_CHANGED = f"{PREFIX}authorization.changed.v1"
    AUTHORIZATION_ACTION_REQUIRED = f"{PREFIX}authorization.action_required.v1"
    AUTHORIZATION_OVERDUE = f"{PREFIX}authorization.overdue.v1"
    AUTHORIZATION_SETTLED = f"{PREFIX}authorization.settled.v1"
    AUTHORIZATION_WATCH_ENDED = f"{PREFIX}authorization.watch_ended.v1"
    AUTHORIZATION_RECENT_COMMANDS_EMPTIED = f"{PREFIX}authorization.recent_commands_emptied.v1"
    AUTHORIZATION_VERSION_FLOOR_LOWERED = f"{PREFIX}authorization.version_floor_lowered.v1"
    AUTHORIZATION_CONTENT_READ = f"{PREFIX}authorization.content_read.v1"


# docs/collate-contract.md §5.4. The docstring is published, so it does not cite the file.
class ReportedOutcome(Vocabulary):
    """The result that an operator saw at the payer."""

    SUBMITTED = "submitted"
    DECISION_OBSERVED = "decision_observed"
    NOT_REQUIRED_OBSERVED = "not_required_observed"
    FOLLOW_UP_REQUIRED_OBSERVED = "follow_up_required_observed"


class CloseReport(Vocabulary):
    """The report at a close: a reported outcome, or that the operator was unable to complete the handoff."""

    SUBMITTED = ReportedOutcome.SUBMITTED.value
    DECISION_OBSERVED = ReportedOutcome.DECISION_OBSERVED.value
    NOT_REQUIRED_OBSERVED = ReportedOutcome.NOT_REQUIRED_OBSERVED.value
    FOLLOW_UP_REQUIRED_OBSERVED = ReportedOutcome.FOLLOW_UP_REQUIRED_OBSERVED.value
    UNABLE_TO_COMPLETE = "unable_to_complete"


class Outcome(Vocabulary):
    """The outcome of a command."""

    APPLIED = "applied"
    ALREADY_DONE = "already_done"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DISCARDED = "discarded"


class Effect(Vocabulary):
    """Whether our command changed Collate: proven by a response (ours), concluded from a read (inferred), or not.

    unknown: a write may have changed Collate, and nothing shows whether it did.
    """

    OURS = "ours"
    INFERRED = "inferred"
    NONE = "none"
    UNKNOWN = "unknown"


class DecisionReason(Vocabulary):
    """The reason why an operator redrove or discarded a dead letter. It is public and contains no name."""

    COLLATE_RECOVERED = "collate_recovered"
    ACCESS_RESTORED = "access_restored"
    DEPLOY_ROLLED_BACK = "deploy_rolled_back"
    FIX_DEPLOYED = "fix_deployed"
    CHECKED_BY_HAND = "checked_by_hand"
    DONE_BY_HAND = "done_by_hand"
    CALLER_ASKED = "caller_asked"
    NO_LONGER_WANTED = "no_longer_wanted"
    OTHER = "other"


class ReadContent(Vocabulary):
    """Content with PHI that a caller read through the gateway."""

    REVIEW_SNAPSHOT = "review_snapshot"
    PAYER_EVIDENCE = "payer_evidence"
    DEAD_LETTER_ORIGINAL = "dead_letter_original"
    HANDOFF_MESSAGE = "handoff_message"


class PartFault(Vocabulary):
    """A part of the gateway, or Collate, that does not work. What hurts most comes first."""

    KAFKA = "kafka_away"  # commands are refused
    WORKER = "no_worker"  # accepted commands wait
    COLLATE = "collate_away"
    DELIVERER = "no_deliverer"


class AssertedBy(Vocabulary):
    """Who vouches for a person's name: the person's own token (person), or the service that called (caller)."""

    PERSON = "person"
    CALLER = "caller"


class ClaimCheck(Vocabulary):
    """Whether another person's claim was looked for before a person got a link."""

    DONE = "done"
    SKIPPED = "skipped"


class ClosedBy(Vocabulary):
    """The cause of a handoff's end."""

    US = "us"
    OTHER = "other"
    EXPIRY = "expiry"
    LOSS = "loss"
    CANCELLATION = "cancellation"


class RiskReason(Vocabulary):
    """Why Collate may soon end an open handoff, in the order in which the reasons arise."""

    NOT_ENTERED = "not_entered"
    GRANT_EXPIRING = "grant_expiring"
    GRANT_EXPIRED = "grant_expired"
    ABANDONMENT = "abandonment"
    OPEN_TOO_LONG = "open_too_long"


class Agreement(Vocabulary):
    """Whether payer truth agrees with the operator's report."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNDETERMINED = "undetermined"
    NO_REPORT = "no_report"
