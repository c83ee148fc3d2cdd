"""The dead letters of one caller: which count towards the share that stops a partition, and which it takes away."""

import itertools
from datetime import UTC, datetime

import pytest

from consumers.applier.dead_letters import failure
from consumers.authorization.state import MOST_DEAD_LETTERS
from consumers.engine.core.failure_ratio import FailureRatioLimit, FinishedRecord
from runtime.settings import WorkerSettings
from schemas.commands import Discard, HandoffClose, HandoffRequest, UnableToComplete
from schemas.enums import DecisionReason, EventType
from schemas.events.reasons import DeadLetterCause
from tests.process.key_queue import redrive

REFUSED = {"status": 400, "code": "bad_request", "when": "before"}


class Partition:
    """The key queues of some authorizations, and the limit of their partition with the default settings."""

    def __init__(self, make_queue):
        self._make_queue = make_queue
        self._seconds = itertools.count()
        self.limit = FailureRatioLimit(0.2, 50)

    async def send(self, data, caller, **queue):
        key_queue = self._make_queue(**queue)
        key_queue.send(data, caller=caller)
        while not key_queue.is_idle:
            result = await key_queue.invoke()
            if key_queue.is_idle:
                self.limit.count(FinishedRecord.of(key_queue.key, result), next(self._seconds))
            else:
                key_queue.pass_until(result.at)
        return key_queue


@pytest.fixture
def partition(make_queue):
    return Partition(make_queue)


async def test_closes_of_one_caller_that_collate_refuses_do_not_stop_the_others(partition, sim):
    await partition.send(HandoffRequest(), "intake")
    sim.fault("answer", method="POST", path="/unable-to-complete$", **REFUSED)
    for authorization in sim.create("handoff_active", count=15):
        handoff = sim.state.authorizations[authorization].handoffs[-1].id
        data = HandoffClose(handoff_id=handoff, result=UnableToComplete(reason="payer_portal_down"))
        queue = await partition.send(data, "portal", authorization_id=authorization)
        assert queue.dead_letters()[-1].cause == "request_refused"
    assert not partition.limit.has_tripped
    assert partition.limit.sources() == {"portal": 15}


async def test_a_bad_deployment_stops_the_partition_whoever_calls(partition, sim):
    sim.fault("answer", method="POST", path="/manual-handoffs$", **REFUSED)
    for caller in ("intake", "portal", "intake", "portal", "intake", "portal", "intake", "portal", "intake", "portal"):
        await partition.send(HandoffRequest(), caller)
    assert not partition.limit.has_tripped
    await partition.send(HandoffRequest(), "intake")
    await partition.send(HandoffRequest(), "portal")
    assert partition.limit.has_tripped
    assert "causes: request_refused 12; sent by: intake 6, portal 6" in partition.limit.reason


async def test_commands_that_are_too_old_after_an_outage_never_stop_a_partition(partition, sim):
    sim.fault("answer", method="GET", status=503, code="unavailable", retryAfter="7200")
    limits = WorkerSettings(command_max_age="1h")
    for _ in range(60):
        request = HandoffRequest(expires_at=datetime.fromtimestamp(sim.now() + 86_400.0, UTC))
        queue = await partition.send(request, "intake", limits=limits)
        assert queue.dead_letters()[-1].cause == "too_old"
    assert not partition.limit.has_tripped


async def test_an_operators_discard_does_not_count_as_a_caller(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path="/manual-handoffs$", **REFUSED)
    command = await queue.apply(HandoffRequest())
    queue.send(
        Discard(command_id=command, requested_by="op-7", reason=DecisionReason.CHECKED_BY_HAND), caller="console"
    )
    assert (await queue.invoke()).source is None


def test_each_cause_says_whether_it_counts():
    uncounted = {DeadLetterCause.TOO_OLD, DeadLetterCause.RECORD_LOST}
    assert [failure(cause) for cause in DeadLetterCause] == [
        (cause.value, cause not in uncounted) for cause in DeadLetterCause
    ]


async def dead_letters_of_two_callers(make_queue):
    """Dead-letter two commands of one caller, and more than fit of another."""
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path="/manual-handoffs$", **REFUSED)
    victims = [queue.send(HandoffRequest(), caller="portal") for _ in range(2)]
    attacks = [queue.send(HandoffRequest(), caller="reporting") for _ in range(MOST_DEAD_LETTERS + 3)]
    await queue.drain_all()
    assert len(queue.dead_letters()) == len(victims) + len(attacks)
    queue.sim.faults.clear()
    return queue, victims, attacks


WHO = {"requested_by": "op-7", "reason": DecisionReason.CHECKED_BY_HAND}


async def test_the_dead_letters_of_one_caller_leave_those_of_another_to_the_operator(make_queue):
    queue, (redriven, discarded), _ = await dead_letters_of_two_callers(make_queue)
    (letter,) = [one for one in queue.dead_letters() if one.command_id == redriven]
    redrive(queue, letter)
    queue.send(Discard(command_id=discarded, **WHO), caller="support")
    await queue.drain_all()
    assert queue.finished_of(redriven, redrive=1).outcome == "applied"
    assert queue.finished_of(discarded).outcome == "discarded"


async def test_a_dead_letter_that_loses_its_place_ends_with_an_outcome(make_queue):
    queue, _, attacks = await dead_letters_of_two_callers(make_queue)
    ended = {event.data.command_id: event.data for event in queue.events(EventType.COMMAND_FINISHED)}
    assert list(ended) == attacks[:5], "the oldest of the caller with the most"
    first = ended[attacks[0]]
    assert (first.outcome, first.reason, first.caller) == ("discarded", "too_many_dead_letters", "reporting")
    assert first.decision is None
    assert [one[0] for one in queue.ended_dead_letters()] == attacks[:5], "no longer in an operator's list"
    queue.send(HandoffRequest(), caller="reporting", command_id=attacks[0])
    await queue.drain_all()
    assert len([event for event in queue.events(EventType.COMMAND_FINISHED) if event.data == first]) == 1
