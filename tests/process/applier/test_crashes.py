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
async def test_killed_at_every_await_point(make_lane, close, profile, fault, operation):
    outcomes = set()
    for point in range(MOST_POINTS):
        lane = make_lane(profile)
        handoff = None
        if operation == "close":
            first = lane.send(HandoffRequest())
            await lane.drain()
            handoff = lane.check(first).handoff_id
        lane.sim.faults.clear()
        if fault:
            lane.sim.fault(method="POST", path=f"{lane.authorization_id}/manual-handoffs", **fault)
        asked = lane.send(close(handoff) if handoff else HandoffRequest())
        lane.fuse.passed, lane.fuse.blows_at = 0, point
        await lane.drain()
        passed, lane.fuse.blows_at = lane.fuse.passed, None
        outcome = lane.check(asked)
        if outcome is None:
            # Refused for certain, killed before that was committed: perhaps applied (decision 0002, row 9).
            (letter,) = lane.dead_letters()
            assert (letter.cause, operation, fault and fault["do"]) == ("outcome_unknown", "create", "act"), (
                letter.intents
            )
            assert lane.effects_of(asked) == []
            continue
        assert outcome.outcome == "applied"
        assert len(lane.effects_of(asked)) == 1
        outcomes.add(outcome.effect.value)
        kind = EventType.HANDOFF_OPENED if operation == "create" else EventType.HANDOFF_CLOSED
        if operation == "close":
            assert (await lane.observe_until(kind)).data.by == "us"
        assert len(lane.events(kind)) == 1
        if passed <= point:
            break
    else:
        raise AssertionError("more await points than expected")
    assert "ours" in outcomes or profile in {"v3", "forgets_keys"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("operation", ["create", "close"])
async def test_killed_with_the_request_on_its_way_which_arrives_later(make_lane, close, eventually, profile, operation):
    lane = make_lane(profile)
    handoff = None
    if operation == "close":
        first = lane.send(HandoffRequest())
        await lane.drain()
        handoff = lane.check(first).handoff_id
    lane.sim.fault("delay", method="POST", path=f"{lane.authorization_id}/manual-handoffs", seconds=0.2, count=1)
    asked = lane.send(close(handoff) if handoff else HandoffRequest())
    turn = asyncio.ensure_future(lane.turn())
    await eventually(lambda: lane.remembered().work and lane.sim.ledger.calls[-1].method == "POST")
    turn.cancel()
    await asyncio.wait([turn])
    lane.restart()
    await lane.drain()
    outcome = lane.check(asked)
    assert outcome.outcome == "applied"
    # The first request still arrives, and finds that it is too late or a replay.
    await eventually(lambda: all(call.ended != "open" for call in lane.sim.ledger.calls))
    assert len(lane.effects_of(asked)) == 1


async def test_a_zombie_sends_its_old_request_once_more(make_lane, close):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    lane.fuse.blows_at = 3  # the intent is committed, the create not yet sent
    await lane.drain()
    handoff = lane.check(asked).handoff_id
    lane.send(close(handoff))
    await lane.drain()
    await lane.observe_until(EventType.HANDOFF_RECONCILED)
    create = next(call for call in lane.sim.ledger.calls if call.path.endswith("/manual-handoffs"))
    for profile in ("v2", "forgets_keys", "ignores_preconditions"):
        lane.sim.use(profile)
        await lane.client.create_handoff(
            lane.authorization_id, if_match=int(create.if_match.strip('"')), key=create.key, body=b"{}"
        )
    assert len(lane.effects_of(asked)) == 1


async def test_a_write_whose_command_record_is_gone_is_dead_lettered_before_anything_else(make_lane):
    lane = make_lane()
    lost = lane.send(HandoffRequest())
    lane.sim.fault("reset", method="POST", when="before", count=1)
    assert isinstance(await lane.turn(), RetryAt)
    lane.records.clear()
    lane.restart()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    (letter,) = lane.dead_letters()
    assert (letter.command_id, letter.cause) == (lost, "record_lost")
    assert letter.intents[0]["n"] == 1
    assert lane.check(asked).outcome == "applied"


async def test_a_body_that_this_version_would_write_otherwise_is_never_resent(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    lane.sim.fault("reset", method="POST", when="after", count=1)
    assert isinstance(await lane.turn(), RetryAt)
    memory = lane.remembered()
    intent = memory.work.intent.replace(body_digest="00" * 16)
    lane.memory = memory.replace(work=memory.work.replace(intent=intent)).encode()
    lane.restart()
    posts = [name for name, _ in lane.collate.calls].count("create_handoff")
    await lane.drain()
    assert [name for name, _ in lane.collate.calls].count("create_handoff") == posts
    assert lane.check(asked).effect == "inferred"


async def test_a_command_on_which_the_gateway_itself_fails_is_a_dead_letter(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    lane.failures = 5
    await lane.turn()
    (letter,) = lane.dead_letters()
    assert (letter.command_id, letter.cause) == (asked, "handler_failed")


async def test_an_unreadable_memory_stops_the_lane_and_writes_nothing(make_lane):
    lane = make_lane()
    lane.memory = b'{"sequence": "many"}'
    lane.send(HandoffRequest())
    answer = await lane.turn()
    assert isinstance(answer, RetryAt)
    assert lane.outputs == []


async def test_that_tries_failed_is_told_by_the_next_one(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    lane.failures = 2
    await lane.drain()
    (waiting,) = lane.events(EventType.COMMAND_WAITING)
    assert (waiting.data.command_id, waiting.data.reason) == (asked, "handler_failed")
    assert lane.check(asked).effect == "ours"
