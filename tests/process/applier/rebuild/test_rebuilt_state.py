"""After its state was lost, a key queue continues from the state that the other topics show (decision 0016)."""

import uuid
from datetime import UTC, datetime

import pytest

from cli.rebuild.history import History
from cli.rebuild.logged import ended, first_unended, logged
from cli.rebuild.state import rebuilt
from consumers.applier.task import read
from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.event_factory import public_record
from consumers.authorization.state import AuthorizationState
from local.phi_keys import new_keys
from schemas.commands import Discard, HandoffRequest, Original, RecordAccess, RecordRead, Redrive, ReleaseHandoff
from schemas.enums import CommandType, DecisionReason, EventType, ReadContent
from schemas.events import AuthorizationChanged, HandoffOpened
from schemas.records import PublishedEvent, RecordedCommand, write_command
from tests.process.await_points import FAULTS, MOST_POINTS, send_operation
from tests.process.key_queue import SOURCE, opened

PROFILES = ["v2", "v3", "ignores_preconditions"]
DAY = 86_400.0
LATER = datetime(2100, 1, 1, tzinfo=UTC)
# What no other topic holds; the next read of Collate replaces these fields.
LOST = {"version", "open_version", "seen_at"}


def sources(queue):
    history = History(0.0)
    for event in queue.events():
        history.see(event)
    key = queue.digest_key
    return history, [logged(read(record, key, queue.keys), 0, record.offset) for record in queue.records]


def rebuild(queue):
    history, commands = sources(queue)
    watch_seconds = queue.limits.watch_max_age.total_seconds()
    return rebuilt(history, queue.public_record(), commands, now=queue.now(), watch_seconds=watch_seconds)


def lose_state(queue):
    """The state is lost and rebuilt, and with it the progress."""
    history, commands = sources(queue)
    is_ended = ended(commands, history)
    assert is_ended == [place < queue.finished for place in range(len(commands))]
    queue.state, queue.stored_timer_at = rebuild(queue).encode(), queue.now()
    queue.restart()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("fault", [FAULTS[0], FAULTS[1], FAULTS[4]], ids=str)
@pytest.mark.parametrize("operation", ["create", "close"])
async def test_a_state_lost_at_every_await_point_causes_no_second_effect(make_queue, close, profile, fault, operation):
    applied = 0
    for point in range(MOST_POINTS):
        queue = make_queue(profile)
        command = await send_operation(queue, close, operation, fault)
        queue.fuse.arm(point)
        await queue.drain(lambda queue=queue: lose_state(queue))
        passed, queue.fuse.blows_at = queue.fuse.passed, None
        outcome = queue.check(command)
        if outcome is None:
            (dead_letter,) = queue.dead_letters()
            assert dead_letter.cause == "outcome_unknown"
            assert len(queue.effects_of(command)) <= 1
        else:
            assert (outcome.outcome, len(queue.effects_of(command))) == ("applied", 1)
            applied += 1
            kind = EventType.HANDOFF_OPENED if operation == "create" else EventType.HANDOFF_CLOSED
            await queue.observe_until(kind)
            assert len(queue.events(kind)) == 1
        if passed <= point:
            break
    assert applied > point / 3
    assert [event.sequence for event in queue.events()] == list(range(1, len(queue.events()) + 1))


def shown(state, now):
    record = public_record(state, now)
    return None if record is None else record.model_dump(exclude={"updated_at", "version"})


def fields(part):
    return None if part is None else part.model_dump(exclude=LOST)


def near(value):
    """A time in an event is later than the time in the state by the duration of the invocation."""
    if isinstance(value, dict):
        return {name: near(one) for name, one in value.items()}
    return pytest.approx(value, abs=0.5) if isinstance(value, float) else value


def require_same(queue):
    before, after = queue.decoded_state(), AuthorizationState.decode(rebuild(queue).encode())
    assert shown(after, 0.0) == shown(before, 0.0)
    assert (after.sequence, after.ended, after.settled_at is None) == (
        before.sequence,
        before.ended,
        before.settled_at is None,
    )
    assert {id_: fields(one) for id_, one in after.dead_letters.items()} == {
        id_: near(fields(one)) for id_, one in before.dead_letters.items()
    }
    assert after.last_event_at == pytest.approx(before.last_event_at, abs=1e-6)
    assert after.content_read_at == near(before.content_read_at)
    assert recent_commands.ids(after.recent_commands) == recent_commands.ids(before.recent_commands)
    assert after.recent_callers == before.recent_callers
    assert after.recent_forgotten == before.recent_forgotten
    assert after.emitted_action == before.emitted_action
    assert fields(after.last) == near(fields(before.last))
    assert fields(after.active) == near(fields(before.active))
    assert after.early_grant == before.early_grant
    assert after.unknown_caller == before.unknown_caller


async def test_events_after_a_rebuild_have_no_id_of_an_earlier_life(make_queue, watch):
    queue = make_queue("v2")
    await queue.apply(watch())
    # The first life is the longer one.
    for _ in range(5):
        await queue.apply(watch())
    queue.sim.act(queue.authorization_id, "cancel")
    await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    while queue.state is not None:
        await queue.observe()
    await queue.apply(watch())
    before, first_life = queue.decoded_state(), queue.event_ids.copy()
    queue.state = rebuild(queue).encode()
    for _ in range(3):
        await queue.apply(watch())
    after = queue.decoded_state()
    assert before.sequence < after.sequence < len(first_life), "the numbers are those of the first life"
    assert len(queue.event_ids) == len(queue.events())


async def test_a_rebuilt_state_is_the_lost_one_after_each_step_of_a_handoff(make_queue, close, watch):
    queue = make_queue("v2")
    await queue.apply(watch(metadata={"case": "1"}))
    require_same(queue)
    asked = await queue.apply(HandoffRequest(requested_by="jo", metadata={"case": "1"}), caller="people:jo")
    require_same(queue)
    handoff = queue.check(asked).handoff_id
    await queue.observe()
    require_same(queue)
    queue.send(RecordAccess(handoff_id=handoff, operator="jo", grant_expires_at=LATER), caller="people:jo")
    await queue.apply(RecordRead(content=ReadContent.REVIEW_SNAPSHOT, operator="jo"), caller="people:jo")
    require_same(queue)
    await queue.apply(ReleaseHandoff(handoff_id=handoff), caller="people:jo")
    require_same(queue)
    reported = close(handoff).model_copy(update={"metadata": {"case": "1"}, "reported_by": "jo"})
    await queue.apply(reported, caller="people:jo")
    require_same(queue)
    for event in (EventType.HANDOFF_CLOSED, EventType.HANDOFF_RECONCILED):
        await queue.observe_until(event)
        require_same(queue)
    lose_state(queue)
    assert queue.public_record().last_handoff.agreement is not None


async def test_events_from_after_an_opening_show_the_end_of_the_handoff(make_queue, close):
    queue = make_queue("v2")
    handoff = await opened(queue)
    queue.send(RecordAccess(handoff_id=handoff, operator="jo", grant_expires_at=LATER))
    await queue.apply(close(handoff))
    await queue.observe_until(EventType.HANDOFF_CLOSED)
    history = History(0.0)
    for event in queue.events():
        if not isinstance(event.data, HandoffOpened):
            history.see(event)
    assert (history.state.early_grant, history.state.active) == (None, None)
    assert history.state.last.closer.operation == "complete"
    assert history.state.ended == (handoff,)


async def test_a_rebuilt_state_knows_the_risks_that_were_published(make_queue):
    queue = make_queue("v2")
    await queue.apply(HandoffRequest())
    await queue.observe_until(EventType.HANDOFF_AT_RISK)
    require_same(queue)


def test_a_receipt_that_the_read_of_an_opening_shows_is_not_new():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    history = History(0.0)
    opened = HandoffOpened(handoff_id="mhand_1", access_available=True, final_submit_capable=True)
    changed = AuthorizationChanged(to_status="requires_action", receipt_seen=True, decision_seen=False)
    for sequence, event in enumerate((opened, changed), 1):
        history.see(PublishedEvent(str(sequence), "auth_1", sequence, at, event))
    assert history.state.active.had_receipt


async def test_a_lost_state_forgets_no_ended_command_and_no_dead_letter(make_queue):
    queue = make_queue("v2")
    request = HandoffRequest(expires_at=LATER)
    queue.sim.fault(do="answer", status=503, code="unavailable", count=2)
    first = await queue.apply(request, accepted_at=queue.now() - 2 * DAY)
    queue.sim.faults.clear()
    require_same(queue)
    lose_state(queue)
    await queue.apply(request, first)
    assert len(queue.dead_letters()) == 1, "the repeat was applied"
    (dead_letter,) = queue.dead_letters()
    original = Original(
        type=CommandType.HANDOFF_REQUEST,
        caller="intake",
        accepted_at=dead_letter.accepted_at,
        data={"expiresAt": LATER.isoformat()},
    )
    again = Redrive(command_id=first, redrive=1, requested_by="op-7", reason=DecisionReason.OTHER, command=original)
    await queue.apply(again, redrive=1)
    require_same(queue)
    assert queue.finished_of(first, 1).outcome == "applied"
    lose_state(queue)
    await queue.apply(Discard(command_id=first, requested_by="op-7", reason=DecisionReason.OTHER))
    assert queue.finished_of(first, 1).outcome == "applied"


def test_a_repeat_shows_nothing_about_the_records_before_it(make_queue):
    """A, B, A again: the end of A does not end B."""
    queue = make_queue("v2")
    first = queue.send(HandoffRequest())
    queue.send(HandoffRequest())
    queue.send(ReleaseHandoff(handoff_id="mhand_1"))
    queue.send(HandoffRequest(), first)
    history, commands = sources(queue)
    history.ends.add((first, 0))
    assert ended(commands, history) == [True, False, False, True]
    assert first_unended(commands, history) is commands[1]


async def test_a_grant_above_its_callers_share_has_no_id_in_a_rebuilt_state_either(make_queue, watch, monkeypatch):
    """Else the rebuild forgets an id of the caller, and the caller's next command is rejected."""
    monkeypatch.setattr(recent_callers, "SHARE", 3)
    queue = make_queue("v2")
    handoff = await opened(queue)
    for _ in range(4):
        await queue.apply(RecordAccess(handoff_id=handoff, operator="jo", grant_expires_at=LATER), caller="people:jo")
    require_same(queue)
    lose_state(queue)
    command = await queue.apply(watch(), caller="people:jo")
    assert queue.finished_of(command).outcome == "applied"


async def test_a_rebuilt_state_has_no_id_of_a_record_that_was_unreadable(make_queue, watch):
    queue = make_queue("v2")
    await queue.apply(watch())
    command = RecordedCommand(str(uuid.uuid4()), "intake", queue.authorization_id, LATER, watch())
    headers, _ = write_command(command, SOURCE, queue.keys)
    queue.append(headers, b"{")
    await queue.drain()
    for _ in range(2):
        await queue.apply(watch())
    assert [one.cause for one in queue.dead_letters()] == ["invalid_record"]
    require_same(queue)
    lose_state(queue)
    await queue.apply(watch())


async def test_a_displaced_dead_letter_that_was_unreadable_leaves_no_id(make_queue, watch, monkeypatch):
    """Else a repeat of the command, once it can be read, would have another digest: a key conflict."""
    monkeypatch.setattr("consumers.authorization.unit_of_work.MOST_DEAD_LETTERS", 1)
    queue = make_queue("v2")
    await queue.apply(watch())
    for _ in range(2):
        command = RecordedCommand(str(uuid.uuid4()), "intake", queue.authorization_id, LATER, watch())
        headers, _ = write_command(command, SOURCE, queue.keys)
        queue.append(headers, b"{")
        await queue.drain()
    assert [one.cause for one in queue.dead_letters()] == ["invalid_record", "invalid_record"]
    require_same(queue)


async def test_a_rebuilt_dead_letter_has_the_metadata_that_its_first_run_showed(make_queue):
    queue = make_queue("v2")
    queue.sim.fault(do="answer", status=503, code="unavailable", count=2)
    request = HandoffRequest(expires_at=LATER, metadata={"case": "1"})
    first = await queue.apply(request, accepted_at=queue.now() - 2 * DAY)
    queue.sim.faults.clear()
    original = Original(type=CommandType.HANDOFF_REQUEST, caller="intake", accepted_at=LATER, data={})
    again = Redrive(command_id=first, redrive=1, requested_by="op-7", reason=DecisionReason.OTHER, command=original)
    queue.send(again, redrive=1)
    queue.keys = new_keys()
    queue.restart()
    await queue.drain()
    assert [one.cause for one in queue.dead_letters()] == ["too_old", "undecryptable"]
    assert queue.decoded_state().dead_letters[first].metadata == {"case": "1"}
    require_same(queue)
