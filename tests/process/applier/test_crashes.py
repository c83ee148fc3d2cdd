"""A crash at every await point, under every profile and fault: a new applier resumes from the committed state.

Promise 2 in docs/architecture.md: a worker that may have lost its partition sends nothing, not even a resend.
"""

import asyncio

import pytest

from consumers.engine import PartitionLost, RetryAt
from schemas.commands import HandoffRequest
from schemas.enums import EventType
from tests.process.await_points import FAULTS, MOST_POINTS, send_operation
from tests.process.key_queue import PROFILES

CREATE = "/manual-handoffs$"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("operation", ["create", "close"])
async def test_a_crash_at_every_await_point_has_at_most_one_effect(make_queue, close, profile, fault, operation):
    outcomes = set()
    for point in range(MOST_POINTS):
        queue = make_queue(profile)
        command = await send_operation(queue, close, operation, fault)
        queue.fuse.arm(point)
        await queue.drain()
        passed, queue.fuse.blows_at = queue.fuse.passed, None
        outcome = queue.check(command)
        if outcome is None:
            # A definite refusal that was not committed: the write counts as perhaps applied (decision 0002, row 9).
            (dead_letter,) = queue.dead_letters()
            assert (dead_letter.cause, operation, fault and fault["do"]) == ("outcome_unknown", "create", "act"), (
                dead_letter.intents
            )
            assert queue.effects_of(command) == []
            continue
        assert outcome.outcome == "applied"
        assert len(queue.effects_of(command)) == 1
        outcomes.add(outcome.effect.value)
        kind = EventType.HANDOFF_OPENED if operation == "create" else EventType.HANDOFF_CLOSED
        if operation == "close":
            assert (await queue.observe_until(kind)).data.by == "us"
        assert len(queue.events(kind)) == 1
        if passed <= point:
            break
    else:
        raise AssertionError("more await points than expected")
    assert "ours" in outcomes or profile in {"v3", "forgets_keys"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("operation", ["create", "close"])
async def test_a_request_that_arrives_after_its_process_died_has_one_effect(
    make_queue, close, eventually, profile, operation
):
    queue = make_queue(profile)
    command = await send_operation(queue, close, operation, {"do": "hold", "count": 1})
    (holding,) = queue.sim.faults
    invocation = asyncio.ensure_future(queue.invoke())
    await eventually(lambda: holding.struck)
    invocation.cancel()
    await asyncio.wait([invocation])
    queue.restart()
    await queue.drain()
    outcome = queue.check(command)
    assert outcome.outcome == "applied"
    # The first request still arrives: Collate refuses it, or replays its response.
    holding.release()
    await eventually(lambda: all(call.ended != "open" for call in queue.sim.ledger.calls))
    assert len(queue.effects_of(command)) == 1


async def test_a_late_copy_of_a_finished_request_has_no_effect(make_queue, close, connected):
    queue = make_queue()
    command = queue.send(HandoffRequest())
    queue.fuse.arm(3)  # the intent is committed, the create not yet sent
    await queue.drain()
    handoff = queue.check(command).handoff_id
    await queue.apply(close(handoff))
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    create = next(call for call in queue.sim.ledger.calls if call.path.endswith("/manual-handoffs"))
    for profile in ("v2", "forgets_keys", "ignores_preconditions"):
        queue.sim.use(profile)
        await connected.create_handoff(
            queue.authorization_id, if_match=int(create.if_match.strip('"')), key=create.key, body=b"{}"
        )
    assert len(queue.effects_of(command)) == 1


async def test_a_write_without_its_command_record_is_dead_lettered_first(make_queue):
    queue = make_queue()
    lost = queue.send(HandoffRequest())
    queue.sim.fault("reset", method="POST", when="before", count=1)
    assert isinstance(await queue.invoke(), RetryAt)
    queue.records.clear()
    queue.restart()
    command = await queue.apply(HandoffRequest())
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.command_id, dead_letter.cause) == (lost, "record_lost")
    assert dead_letter.intents[0]["n"] == 1
    assert queue.check(command).outcome == "applied"


async def test_a_body_with_a_different_digest_is_never_resent(make_queue):
    queue = make_queue()
    command = queue.send(HandoffRequest())
    queue.sim.fault("reset", method="POST", when="after", count=1)
    assert isinstance(await queue.invoke(), RetryAt)
    state = queue.decoded_state()
    golden = "another version of the worker may have committed the intent"
    assert state.work.intent.body_digest == "bab88802de236183c340692b8e1e0d1f", golden
    intent = state.work.intent.replace(body_digest="00" * 16)
    queue.state = state.replace(work=state.work.replace(intent=intent)).encode()
    queue.restart()
    posts = [name for name, _ in queue.collate.calls].count("create_handoff")
    await queue.drain()
    assert [name for name, _ in queue.collate.calls].count("create_handoff") == posts
    assert queue.check(command).effect == "inferred"


async def test_a_command_that_fails_the_handler_repeatedly_is_dead_lettered(make_queue):
    queue = make_queue()
    command = queue.send(HandoffRequest())
    queue.failures = 5
    await queue.invoke()
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.command_id, dead_letter.cause) == (command, "handler_failed")


async def test_an_unreadable_state_stops_the_key_queue_and_writes_nothing(make_queue):
    queue = make_queue()
    queue.state = b'{"sequence": "many"}'
    queue.send(HandoffRequest())
    result = await queue.invoke()
    assert isinstance(result, RetryAt)
    assert queue.outputs == []


async def test_handler_failures_are_published_by_the_next_invocation(make_queue):
    queue = make_queue()
    command = queue.send(HandoffRequest())
    queue.failures = 2
    await queue.drain()
    (waiting,) = queue.events(EventType.COMMAND_WAITING)
    assert (waiting.data.command_id, waiting.data.reason) == (command, "handler_failed")
    assert queue.check(command).effect == "ours"


async def test_no_resend_leaves_after_the_partition_is_lost(make_queue):
    queue = make_queue()
    queue.sim.fault("reset", when="before", method="POST", count=1)
    queue.send(HandoffRequest())
    while not (creates := [name for name, _ in queue.collate.calls].count("create_handoff")):
        assert isinstance(await queue.invoke(), RetryAt)  # on a busy machine the read may time out first
    queue.is_lost = True
    with pytest.raises(PartitionLost):
        await queue.invoke()
    assert [name for name, _ in queue.collate.calls].count("create_handoff") == creates


async def test_a_partition_that_comes_back_to_the_same_process_may_have_had_another_owner(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("answer", method="POST", path=CREATE, when="before", status=429, code="rate_limited", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    owner = make_queue("forgets_keys", authorization_id=queue.authorization_id)
    owner.state, owner.records = queue.state, queue.records
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    assert isinstance(await owner.invoke(), RetryAt)
    assert len(queue.effects_of(command)) == 1
    queue.sim.advance(1)
    queue.since = 0.0  # the record is delivered again, in another assignment
    await queue.drain()
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "inferred")
