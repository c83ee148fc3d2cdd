import asyncio
from datetime import UTC, datetime

import pytest

from gateway.ingress.commands.waiters import Waiters
from gateway.ingress.event_stream.streamed_event import read_streamed_event
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandFinished
from schemas.records import publish, write_event

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def finished(command_id=COMMAND, **fields):
    event = CommandFinished(
        command_id=command_id,
        command=CommandType.HANDOFF_REQUEST,
        caller="scheduling",
        outcome=Outcome.APPLIED,
        effect=Effect.OURS,
        **fields,
    )
    headers, value = write_event(
        publish(event, authorization_id="auth_1", sequence=1, time=AT), "/collate-gateway/test"
    )
    return read_streamed_event(0, 0, headers, value)


@pytest.fixture
def waiters(metrics):
    return Waiters(2, metrics, remembered=2, retention_seconds=60)


async def test_a_waiting_request_receives_the_outcome(waiters):
    with waiters.register(COMMAND) as future:
        waiters.on_event(finished(handoff_id="mhand_1"))
        outcome = await waiters.wait(future, 1)
    assert outcome.event.handoff_id == "mhand_1"
    assert outcome.finished_at == AT


async def test_several_requests_may_wait_for_one_command(waiters):
    with waiters.register(COMMAND) as first, waiters.register(COMMAND) as second:
        waiters.on_event(finished())
        assert await waiters.wait(first, 1) == await waiters.wait(second, 1)


async def test_a_late_waiter_receives_a_remembered_outcome(waiters):
    waiters.on_event(finished())
    with waiters.register(COMMAND) as future:
        assert await waiters.wait(future, 1) is not None


async def test_only_the_last_outcomes_are_remembered(waiters):
    ids = [f"2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b1{number}" for number in range(3)]
    for command_id in ids:
        waiters.on_event(finished(command_id))
    with waiters.register(ids[0]) as gone, waiters.register(ids[2]) as here:
        assert (gone.done(), here.done()) == (False, True)


async def test_an_outcome_is_forgotten_after_the_retention(metrics):
    waiters = Waiters(2, metrics, retention_seconds=-1)
    waiters.on_event(finished())
    with waiters.register(COMMAND) as future:
        assert not future.done()


async def test_a_wait_ends_after_its_seconds(waiters):
    with waiters.register(COMMAND) as future:
        assert await waiters.wait(future, 0.01) is None


async def test_requests_above_the_capacity_do_not_wait(waiters):
    with waiters.register(COMMAND), waiters.register(COMMAND), waiters.register(COMMAND) as third:
        assert third is None
    with waiters.register(COMMAND) as again:
        assert again is not None


async def test_release_ends_all_waits(waiters):
    with waiters.register(COMMAND) as future:
        waiting = asyncio.create_task(waiters.wait(future, 60))
        await asyncio.sleep(0)
        waiters.release()
        assert await waiting is None


async def test_an_outcome_of_a_newer_version_ends_no_wait(waiters):
    event = finished()
    event.data = b'{"commandId": 7}'
    with waiters.register(COMMAND) as future:
        waiters.on_event(event)
        assert not future.done()
