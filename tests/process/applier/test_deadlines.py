"""Expiry, maximum age and key retention of a command, and how long a close waits for an offered handoff."""

from datetime import UTC, datetime

import pytest

from consumers.engine import RetryAt
from runtime.settings import WorkerSettings
from schemas.commands import HandoffRequest
from schemas.enums import EventType
from tests.process.key_queue import contract, opened

CREATE = "/manual-handoffs$"
CLOSE = "/complete$"


async def test_an_endless_error_is_dead_lettered_at_the_maximum_age(make_queue):
    queue = make_queue()
    queue.limits = WorkerSettings(command_max_age="150m")
    queue.restart()
    queue.sim.fault("answer", method="POST", path=CREATE, status=500, code="internal_error")
    command = await queue.apply(HandoffRequest())
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "too_old"
    assert len(queue.effects_of(command)) == 0
    assert len(dead_letter.intents) == 8


async def test_a_command_expires_before_its_first_write(make_queue, hasty):
    queue = make_queue()
    soon = datetime.fromtimestamp(queue.now() + 30, UTC)
    queue.sim.fault("hang", method="GET")
    command = await queue.apply(HandoffRequest(expires_at=soon))
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.reason, outcome.effect) == ("expired", "expired", "none")


async def test_a_command_does_not_expire_after_a_write_that_may_have_been_sent(make_queue):
    queue = make_queue("v3")
    soon = datetime.fromtimestamp(queue.now() + 30, UTC)
    queue.sim.fault("reset", method="POST", when="after", count=1)
    command = queue.send(HandoffRequest(expires_at=soon))
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.advance(60)
    await queue.drain()
    assert queue.check(command).effect == "inferred"


async def test_the_default_expiry_of_a_request_is_an_hour_after_its_acceptance(make_queue):
    queue = make_queue()
    command = await queue.apply(HandoffRequest(), accepted_at=queue.now() - 3601)
    assert queue.check(command).outcome == "expired"
    assert queue.collate.calls == []


async def test_a_close_of_any_age_gets_one_attempt(make_queue, close):
    queue = make_queue()
    handoff = await opened(queue)
    command = await queue.apply(close(handoff), accepted_at=queue.now() - 3 * 86_400)
    assert queue.check(command).effect == "ours"


async def test_a_command_that_waits_is_dead_lettered_at_its_maximum_age(make_queue, hasty, close):
    queue = make_queue(readings={"abandonment_seconds": None})
    handoff = await opened(queue)
    queue.limits = WorkerSettings(command_max_age="5m")
    queue.restart()
    queue.sim.fault("hang", method="GET")
    await queue.apply(close(handoff))
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.cause, dead_letter.intents) == ("too_old", [])
    reasons = [event.data.reason for event in queue.events(EventType.COMMAND_WAITING)]
    assert reasons == ["backoff"]


@pytest.mark.parametrize("keys", ["v2", "v3"])
async def test_a_write_older_than_the_key_retention_is_resolved_by_a_read(make_queue, close, keys):
    queue = make_queue(keys, readings={"abandonment_seconds": None})
    handoff = await opened(queue)
    queue.contract = contract(key_retention="1m")
    queue.restart()
    queue.sim.fault("reset", method="POST", path=CLOSE, when="after", count=1)
    command = queue.send(close(handoff))
    assert isinstance(await queue.invoke(), RetryAt)
    posts = [name for name, _ in queue.collate.calls].count("close_handoff")
    queue.sim.advance(120)
    await queue.drain()
    assert queue.check(command).effect == "inferred"
    assert [name for name, _ in queue.collate.calls].count("close_handoff") == posts


def writes(queue, path):
    return [call for call in queue.sim.ledger.calls if call.method == "POST" and call.path.endswith(path)]


@pytest.mark.parametrize("while_offered", ["refused", "accepted"])
async def test_a_close_waits_until_the_handoff_is_active(make_queue, close, while_offered):
    queue = make_queue(readings={"offered_seconds": 90.0, "close_while_offered": while_offered})
    command = await queue.apply(close(await opened(queue)))
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert [call.answered for call in writes(queue, "/complete")] == [200]
    assert {wait.reason for wait in queue.waits} == {"offered"}
    (waiting,) = queue.events(EventType.COMMAND_WAITING)
    assert (waiting.data.reason, waiting.data.command_id) == ("offered", command)


async def test_a_handoff_that_stays_offered_blocks_its_authorization_for_ten_minutes_at_most(make_queue, close):
    queue = make_queue(readings={"offered_seconds": 1e6})
    handoff, began = await opened(queue), queue.now()
    command = await queue.apply(close(handoff))
    assert queue.check(command).outcome == "applied"
    assert 590 < queue.now() - began < 700
