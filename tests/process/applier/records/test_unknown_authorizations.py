"""Authorizations that Collate has never shown: a state ends after a day, and an event says how many there are."""

from datetime import UTC, datetime

from consumers.authorization.state import unknown_caller_of
from schemas.commands import HandoffRequest, RecordAccess
from schemas.enums import EventType

DAY = 86_400.0
PAST = HandoffRequest(expires_at=datetime(2020, 1, 1, tzinfo=UTC))


async def fire_at_its_time(queue):
    queue.pass_until(queue.timer_at)
    await queue.fire_timer()


async def test_the_state_ends_a_day_after_its_last_id_and_a_later_command_begins_a_new_life(make_queue):
    queue = make_queue(authorization_id="made-up")
    began = queue.now()
    first = await queue.apply(PAST)
    assert queue.finished_of(first).outcome == "expired"
    assert not queue.collate.calls
    assert began + DAY < queue.timer_at < began + DAY + 120
    queue.pass_until(began + DAY / 2)
    await queue.apply(PAST)
    queue.pass_until(began + DAY + 120)
    await queue.fire_timer()
    assert queue.state is not None, "the second id's day is not over"
    assert queue.timer_at > began + 1.5 * DAY
    await fire_at_its_time(queue)
    assert queue.state is None
    assert not [one for one in queue.outputs if one.value is None], "it has no public record, so no tombstone"
    await queue.apply(PAST)
    assert [event.sequence for event in queue.events()] == [1, 2, 1]
    assert len({event.id for event in queue.events()}) == 3


async def test_a_repeat_that_the_worker_has_not_read_keeps_the_id(make_queue):
    """The worker was away over the end of the day. The repeat was accepted within it, and must not be applied."""
    queue = make_queue()
    command = await queue.apply(PAST)
    accepted_at = queue.now() + DAY - 1
    queue.read_until = accepted_at - 1
    queue.advance(DAY + 3600)
    await queue.fire_timer()
    assert queue.state is not None, "a record that was accepted within the day may be unread"
    assert queue.now() < queue.timer_at < queue.now() + 3600
    queue.send(PAST, command, accepted_at=accepted_at)
    await queue.drain()
    assert len(queue.events(EventType.COMMAND_FINISHED)) == 1
    queue.read_until = None
    await fire_at_its_time(queue)
    assert queue.state is None


async def test_an_end_says_how_many_unknown_authorizations_count_to_its_caller(make_queue, watch):
    queue = make_queue(authorization_id="made-up")
    queue.groups = {b"intake": 7, b"people:": 3, b"people": 50}
    told = []
    for caller in ("intake", "intake", "people:jo", "people:kim"):
        command = await queue.apply(PAST, caller=caller)
        told.append(queue.finished_of(command).unknown_authorizations)
    assert told == [8, 8, 4, 4], "the state counts to the caller of its last command, and people count together"
    assert unknown_caller_of(queue.state) == b"people:"
    shown = make_queue()
    assert shown.finished_of(await shown.apply(PAST)).unknown_authorizations == 1, "no read has shown it yet"
    shown.groups = {b"intake": 7}  # the read is committed before the end
    assert shown.finished_of(await shown.apply(watch())).unknown_authorizations == 7, "Collate has just shown it"
    assert shown.finished_of(await shown.apply(watch())).unknown_authorizations is None
    assert unknown_caller_of(shown.state) is None


async def test_an_authorization_that_an_observation_shows_no_longer_counts(make_queue):
    """Its first read follows a link, and no command."""
    queue = make_queue()
    until = datetime.fromtimestamp(queue.now() + 600, UTC)
    await queue.apply(RecordAccess(handoff_id="mh_1", operator="jo", grant_expires_at=until))
    assert unknown_caller_of(queue.state) == b"intake"
    await queue.observe()
    assert unknown_caller_of(queue.state) is None
