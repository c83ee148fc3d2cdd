"""The state of one authorization, rebuilt. Pure. Decision 0016 says where each field comes from, and what is lost."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cli.rebuild.history import Ended, History
from cli.rebuild.logged import LoggedCommand, first_unended
from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.recent_commands import CommandEnd, digest_prefix
from consumers.authorization.state import (
    DEAD_LETTER_SECONDS,
    MOST_ENDED_HANDOFFS,
    AmbiguousWrite,
    AuthorizationState,
    Claim,
    Closer,
    CommandWork,
    Due,
    Handoff,
    Known,
    OpenDeadLetter,
    WatchStatus,
)
from schemas.authorization import ActiveHandoff, AuthorizationRecord, LastHandoff
from schemas.commands import OPERATION_OF
from schemas.enums import ClosedBy
from schemas.events.reasons import OutcomeReason
from schemas.promises.ends import REFUSALS

# Of a command whose record is gone: a repeat of it is a key conflict, and is not applied.
_NO_DIGEST: Final = b"\x00" * 32


def rebuilt(
    history: History,
    record: AuthorizationRecord | None,
    commands: Sequence[LoggedCommand],
    *,
    now: float,
    watch_seconds: float,
) -> AuthorizationState:
    """Return the state.

    Args:
        history: the events.
        record: the newest record on `authorizations`; None if the authorization was never read.
        commands: the commands, in the order of the log.
        now: Unix seconds.
        watch_seconds: how long an authorization is watched from now.
    """
    head = first_unended(commands, history)
    state = AuthorizationState(
        sequence=history.sequence,
        life=_life(history, record),
        last_event_at=_last_at(history, record) or 0.0,
        content_read_at=history.content_read_at,
    )
    state = _with_ends(state, history, commands, now=now if head is None else min(now, head.accepted_at))
    if record is None:
        # The state of a write has always been committed together with the record of the read before it.
        return state.replace(early_grant=history.state.early_grant)
    active = None if record.active_handoff is None else _active(record.active_handoff, record, history, commands)
    last = None if record.last_handoff is None else _last(record.last_handoff, record, history)
    is_required = record.action_required_at is not None and record.next_action is not None
    return state.replace(
        sequence=max(history.sequence, record.sequence),
        floor=record.version,
        known=_known(record),
        unknown_caller=None,
        active=active,
        last=last,
        early_grant=history.state.early_grant,
        ended=tuple(dict.fromkeys((*history.state.ended, *([last.id] if last else ()))))[-MOST_ENDED_HANDOFFS:],
        emitted_action=(record.next_action, record.resolution, record.covers_review_snapshot_id)
        if is_required
        else None,
        action_required_at=_seconds(record.action_required_at) if is_required else None,
        settled_at=_seconds(record.settled_at),
        due=None
        if record.due_at is None
        else Due(at=record.due_at.timestamp(), overdue_at=_seconds(record.overdue_at)),
        watch=_watch(record, now, watch_seconds),
        work=_work(head, record),
    )


def _life(history: History, record: AuthorizationRecord | None) -> int | None:
    """Return a time in this life of the authorization: the lost one may have been any.

    It is at least the time of the last event: so it is in no earlier life, whose events have the same numbers.
    """
    at = _last_at(history, record)
    return None if at is None else round(at * 1000)


def _last_at(history: History, record: AuthorizationRecord | None) -> float | None:
    """Return the time of the last event; the public record has it too."""
    times = [history.last_at, None if record is None else record.updated_at.timestamp()]
    return max((at for at in times if at is not None), default=None)


def _known(record: AuthorizationRecord) -> Known:
    # `whole` is false: the next read of the same version replaces what the public record does not show.
    return Known(
        version=record.version,
        whole=False,
        status=record.status,
        outcome=record.outcome,
        action=record.next_action,
        resolution=record.resolution,
        covers=record.covers_review_snapshot_id,
        receipt=record.receipt_seen,
        decision=record.decision_seen,
        payer=record.payer_id,
    )


def _watch(record: AuthorizationRecord, now: float, watch_seconds: float) -> WatchStatus:
    since, ended_at = record.watched_since.timestamp(), _seconds(record.watch_ended_at)
    if ended_at is not None:
        return WatchStatus(since=since, until=ended_at, moved_at=ended_at, ended=True)
    return WatchStatus(since=since, until=now + watch_seconds, moved_at=record.updated_at.timestamp())


# Handoffs


def _active(
    shown: ActiveHandoff, record: AuthorizationRecord, history: History, commands: Sequence[LoggedCommand]
) -> Handoff:
    before = history.state.active
    if before is None or before.id != shown.id:  # offered, or opened before the first event that `events` still holds
        before = Handoff(
            id=shown.id,
            state=shown.state,
            seen_at=record.updated_at.timestamp(),
            open_version=record.version,
            open_emitted=shown.state != "offered",
            had_receipt=record.receipt_seen,
            had_decision=record.decision_seen,
        )
    closed_by = history.closes.get(shown.id)
    closer = next((sent.closer for sent in commands if sent.command_id == closed_by and sent.closer is not None), None)
    claim = shown.claim
    return before.replace(
        state=shown.state,
        access_available=shown.access_available,
        final_submit_capable=shown.final_submit_capable,
        opened_at=_seconds(shown.opened_at),
        open_version=record.version,
        claim=None if claim is None else Claim(caller=claim.caller, since=claim.since.timestamp()),
        closer=closer,
    )


def _last(shown: LastHandoff, record: AuthorizationRecord, history: History) -> Handoff:
    before = history.state.last
    if before is None or before.id != shown.id:
        before = Handoff(id=shown.id, state="closed", open_version=0, had_receipt=True, had_decision=True)
    closer, reported = before.closer, None if shown.reported is None else shown.reported.value
    if closer is None and shown.by == ClosedBy.US and (operation := OPERATION_OF.get(shown.result)) is not None:
        closer = Closer(operation=operation, reported=reported, reported_by=shown.reported_by)
    return before.replace(
        state="closed",
        result=shown.result,
        by=None if shown.by is None else shown.by.value,
        reported=reported,
        closed_at=_seconds(shown.closed_at),
        # The record's version did not reconcile it, so only a later one can.
        open_version=record.version,
        agreement=None if shown.agreement is None else shown.agreement.value,
        closer=closer,
    )


# Commands


def _work(head: LoggedCommand | None, record: AuthorizationRecord) -> CommandWork | None:
    """Return the writes of the first unfinished command: its first write may have been sent, and may have an effect.

    `version` is the lowest at which that write can have been sent, so every effect of it is a later version.
    """
    if head is None or head.command is None or not head.writes:
        return None
    ambiguous = AmbiguousWrite(version=record.version, since=head.accepted_at)
    work = head.inherited
    if work is None:
        return CommandWork(
            command_id=head.command_id,
            command=head.command.value,
            caller=head.caller,
            redrive=head.redrive,
            ambiguous=ambiguous,
        )
    if (earlier := work.ambiguous) is not None:
        ambiguous = AmbiguousWrite(
            version=min(earlier.version, ambiguous.version), since=min(earlier.since, ambiguous.since)
        )
    # The redrive itself may have written, so the operator's decision no longer covers every write.
    return work.replace(inherited_n=max(0, work.inherited_n - 1), ambiguous=ambiguous)


def _with_ends(
    state: AuthorizationState, history: History, commands: Sequence[LoggedCommand], *, now: float
) -> AuthorizationState:
    """Add the dead letters, and the commands that ended within a day before `now`."""
    digests: dict[str, bytes] = {}
    records: dict[tuple[str, int], str] = {}
    for command in commands:
        if command.digest:
            digests.setdefault(command.command_id, command.digest)
        records.setdefault((command.command_id, command.redrive), command.record_id)
    for end in history.recent:
        if recent_commands.is_kept(end.at, now):
            record_id = records.get((end.command_id, end.redrive), end.command_id)
            state = _with_end(state, end, record_id, digests.get(end.command_id, _NO_DIGEST), until=now)
    return state.replace(dead_letters=_dead_letters(history, digests, now))


def _with_end(
    state: AuthorizationState, end: Ended, record_id: str, digest: bytes, *, until: float
) -> AuthorizationState:
    """Add the ids that the worker kept of one end."""
    how = CommandEnd.DEAD_LETTERED if end.is_dead_lettered else CommandEnd.FINISHED
    if end.is_grant:
        return recent_callers.add_grant(state, record_id, digest, end.caller, now=end.at, until=until)
    if end.reason in REFUSALS:
        is_over = end.reason == OutcomeReason.TOO_MANY_COMMANDS
        return recent_callers.add_id(
            state, record_id, digest, how, end.caller, now=end.at, until=until, over_share=is_over
        )
    if end.is_discard:  # the run itself was added when it was dead-lettered
        record_id = end.command_id
    return recent_callers.add_run(
        state, end.command_id, record_id, digest, how, caller=end.caller, now=end.at, until=until
    )


def _dead_letters(history: History, digests: Mapping[str, bytes], now: float) -> dict[str, OpenDeadLetter]:
    return {
        command_id: one.replace(digest=digest_prefix(digests[command_id]).hex()) if command_id in digests else one
        for command_id, one in history.dead_letters.items()
        if one.at > now - DEAD_LETTER_SECONDS
    }


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
