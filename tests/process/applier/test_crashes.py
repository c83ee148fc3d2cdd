"""A crash at every await point, under every profile and fault: a fresh applier goes on from what was committed."""

import asyncio

import pytest

from consumers.engine import RetryAt
from schemas.commands import HandoffRequest
from schemas.enums import EventType

MOST_POINTS = 60
PROFILES = [
    "v2",
    "v3",
    "stores_errors",
    "forgets_keys",
    "fingerprints_if_match",
    "ignores_preconditions",
    "stale_replicas",
]
FAULTS = [
    None,
    {"do": "reset", "when": "after", "count": 1},
    {"do": "answer", "when": "after", "status": 503, "code": "unavailable", "count": 1},
    {"do": "answer", "when": "before", "status": 500, "code": "internal_error", "count": 3},
    {"do": "act", "actor": {"do": "edit"}, "count": 1},
]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("operation", ["create", "close"])
async def test_killed_at_every_await_point(make_queue, close, profile, fault, operation):
    outcomes = set()
    for point in range(MOST_POINTS):
        queue = make_queue(profile)
        handoff = None
        if operation == "close":
            first = queue.send(HandoffRequest())
            await queue.drain()
            handoff = queue.check(first).handoff_id
        queue.sim.faults.clear()
        if fault:
            queue.sim.fault(method="POST", path=f"{queue.authorization_id}/manual-handoffs", **fault)
        asked = queue.send(close(handoff) if handoff else HandoffRequest())
        queue.fuse.arm(point)
        await queue.drain()
        passed, queue.fuse.blows_at = queue.fuse.passed, None
        outcome = queue.check(asked)
        if outcome is None:
            # Refused for certain, killed before that was committed: perhaps applied (decision 0002, row 9).
            (letter,) = queue.dead_letters()
            assert (letter.cause, operation, fault and fault["do"]) == ("outcome_unknown", "create", "act"), (
                letter.intents
            )
            assert queue.effects_of(asked) == []
            continue
        assert outcome.outcome == "applied"
        assert len(queue.effects_of(asked)) == 1
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
async def test_killed_with_the_request_on_its_way_which_arrives_later(
    make_queue, close, eventually, profile, operation
):
    queue = make_queue(profile)
    handoff = None
    if operation == "close":
        first = queue.send(HandoffRequest())
        await queue.drain()
        handoff = queue.check(first).handoff_id
    queue.sim.fault("delay", method="POST", path=f"{queue.authorization_id}/manual-handoffs", seconds=0.2, count=1)
    asked = queue.send(close(handoff) if handoff else HandoffRequest())
    turn = asyncio.ensure_future(queue.invoke())
    await eventually(lambda: queue.decoded_state().work and queue.sim.ledger.calls[-1].method == "POST")
    turn.cancel()
    await asyncio.wait([turn])
    queue.restart()
    await queue.drain()
    outcome = queue.check(asked)
    assert outcome.outcome == "applied"
    # The first request still arrives, and finds that it is too late or a replay.
    await eventually(lambda: all(call.ended != "open" for call in queue.sim.ledger.calls))
    assert len(queue.effects_of(asked)) == 1


async def test_a_zombie_sends_its_old_request_once_more(make_queue, close, connected):
    queue = make_queue()
    asked = queue.send(HandoffRequest())
    queue.fuse.arm(3)  # the intent is committed, the create not yet sent
    await queue.drain()
    handoff = queue.check(asked).handoff_id
    queue.send(close(handoff))
    await queue.drain()
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    create = next(call for call in queue.sim.ledger.calls if call.path.endswith("/manual-handoffs"))
    for profile in ("v2", "forgets_keys", "ignores_preconditions"):
        queue.sim.use(profile)
        await connected.create_handoff(
            queue.authorization_id, if_match=int(create.if_match.strip('"')), key=create.key, body=b"{}"
        )
    assert len(queue.effects_of(asked)) == 1


async def test_a_write_whose_command_record_is_gone_is_dead_lettered_before_anything_else(make_queue):
    queue = make_queue()
    lost = queue.send(HandoffRequest())
    queue.sim.fault("reset", method="POST", when="before", count=1)
    assert isinstance(await queue.invoke(), RetryAt)
    queue.records.clear()
    queue.restart()
    asked = queue.send(HandoffRequest())
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert (letter.command_id, letter.cause) == (lost, "record_lost")
    assert letter.intents[0]["n"] == 1
    assert queue.check(asked).outcome == "applied"


async def test_a_body_that_this_version_would_write_otherwise_is_never_resent(make_queue):
    queue = make_queue()
    asked = queue.send(HandoffRequest())
    queue.sim.fault("reset", method="POST", when="after", count=1)
    assert isinstance(await queue.invoke(), RetryAt)
    state = queue.decoded_state()
    intent = state.work.intent.replace(body_digest="00" * 16)
    queue.state = state.replace(work=state.work.replace(intent=intent)).encode()
    queue.restart()
    posts = [name for name, _ in queue.collate.calls].count("create_handoff")
    await queue.drain()
    assert [name for name, _ in queue.collate.calls].count("create_handoff") == posts
    assert queue.check(asked).effect == "inferred"


async def test_a_command_on_which_the_gateway_itself_fails_is_a_dead_letter(make_queue):
    queue = make_queue()
    asked = queue.send(HandoffRequest())
    queue.failures = 5
    await queue.invoke()
    (letter,) = queue.dead_letters()
    assert (letter.command_id, letter.cause) == (asked, "handler_failed")


async def test_an_unreadable_memory_stops_the_lane_and_writes_nothing(make_queue):
    queue = make_queue()
    queue.state = b'{"sequence": "many"}'
    queue.send(HandoffRequest())
    answer = await queue.invoke()
    assert isinstance(answer, RetryAt)
    assert queue.outputs == []


async def test_that_tries_failed_is_told_by_the_next_one(make_queue):
    queue = make_queue()
    asked = queue.send(HandoffRequest())
    queue.failures = 2
    await queue.drain()
    (waiting,) = queue.events(EventType.COMMAND_WAITING)
    assert (waiting.data.command_id, waiting.data.reason) == (asked, "handler_failed")
    assert queue.check(asked).effect == "ours"
