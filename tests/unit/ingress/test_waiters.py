import asyncio
from datetime import UTC, datetime

import pytest

from gateway.ingress.commands.unfinished import UnfinishedBounds, UnfinishedCommands
from gateway.ingress.commands.unknown import UnknownCounts
from gateway.ingress.commands.waiters import Waiters
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandDeadLettered, CommandFinished
from schemas.records import publish, write_event
from tests.unit.kafka.memory_topic import MemoryRecord

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
UNKNOWN = UnknownCounts(lambda: 1)
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
    return record(event, sequence=1)


def dead_lettered():
    event = CommandDeadLettered(
        command_id=COMMAND, command=CommandType.HANDOFF_REQUEST, caller="scheduling", cause="outcome_unknown"
    )
    return record(event, sequence=2)


def record(event, sequence):
    published = publish(
        event, authorization_id="auth_1", sequence=sequence, life=1, time=AT, causation_id=event.command_id
    )
    headers, value = write_event(published, "/collate-gateway/test")
    return MemoryRecord(sequence, headers, value)


async def stays():
    """Receive as a request whose client stays."""
    await asyncio.Event().wait()


@pytest.fixture
def waiters(metrics):
    return Waiters(
        metrics,
        UnfinishedCommands(UnfinishedBounds(1, 1, 1)),
        UNKNOWN,
        capacity=3,
        per_caller=2,
        remembered=2,
        retention_seconds=60,
    )


async def test_only_the_last_outcomes_are_remembered(waiters):
    ids = [f"2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b1{number}" for number in range(3)]
    for command_id in ids:
        waiters.on_record(finished(command_id))
    with waiters.register(ids[0], "desk") as gone, waiters.register(ids[2], "desk") as here:
        assert (gone.done(), here.done()) == (False, True)


async def test_an_outcome_is_forgotten_after_the_retention(metrics):
    waiters = Waiters(
        metrics, UnfinishedCommands(UnfinishedBounds(1, 1, 1)), UNKNOWN, capacity=3, per_caller=2, retention_seconds=-1
    )
    waiters.on_record(finished())
    with waiters.register(COMMAND, "desk") as future:
        assert not future.done()


async def test_all_people_of_a_prefix_share_half_of_the_places(metrics):
    waiters = Waiters(
        metrics, UnfinishedCommands(UnfinishedBounds(1, 1, 1)), UNKNOWN, capacity=4, per_caller=3, retention_seconds=60
    )
    with (
        waiters.register(COMMAND, "people:jo"),
        waiters.register(COMMAND, "people:sam") as second,
        waiters.register(COMMAND, "people:alex") as third,
        waiters.register(COMMAND, "desk") as of_a_service,
        waiters.register(COMMAND, "partner:jo") as of_another_prefix,
    ):
        found = [second, third, of_a_service, of_another_prefix]
        assert [waiter is not None for waiter in found] == [True, False, True, True]
    with waiters.register(COMMAND, "people:alex") as again:
        assert again is not None


async def test_an_outcome_of_a_newer_version_ends_no_wait(waiters):
    event = finished()
    event.value = b'{"commandId": 7}'
    with waiters.register(COMMAND, "desk") as future:
        waiters.on_record(event)
        assert not future.done()
    assert waiters.recent_outcome(COMMAND) is None


async def test_an_outcome_is_parsed_only_for_a_request_that_wants_it(waiters, monkeypatch):
    parsed = []
    read = CommandFinished.from_record
    monkeypatch.setattr(CommandFinished, "from_record", lambda value: parsed.append(value) or read(value))
    for event in (finished(), dead_lettered(), finished()):
        waiters.on_record(event)
    assert parsed == []
    assert waiters.recent_outcome(COMMAND).event.outcome is Outcome.APPLIED
    assert len(parsed) == 1
