"""Which results of the applier count towards the share of dead letters that stops a partition."""

import itertools
from datetime import UTC, datetime

import pytest

from consumers.applier.dead_letters import COUNTS, DeadLetterCause, failure
from consumers.applier.settings import ApplierSettings
from consumers.engine.core.failure_ratio import FailureRatioLimit, FinishedRecord
from schemas.commands import Discard, HandoffClose, HandoffRequest, UnableToComplete
from schemas.enums import DecisionReason

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
    settings = ApplierSettings(digest_key=b"k" * 32, command_max_age_seconds=3600.0)
    for _ in range(60):
        request = HandoffRequest(expires_at=datetime.fromtimestamp(sim.now() + 86_400.0, UTC))
        queue = await partition.send(request, "intake", settings=settings)
        assert queue.dead_letters()[-1].cause == "too_old"
    assert not partition.limit.has_tripped


async def test_an_operators_discard_does_not_count_as_a_caller(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path="/manual-handoffs$", **REFUSED)
    command = queue.send(HandoffRequest())
    await queue.drain()
    queue.send(
        Discard(command_id=command, requested_by="op-7", reason=DecisionReason.CHECKED_BY_HAND), caller="console"
    )
    assert (await queue.invoke()).source is None


def test_each_cause_says_whether_it_counts():
    assert set(COUNTS) == set(DeadLetterCause)
    assert {cause for cause, counts in COUNTS.items() if not counts} == {
        DeadLetterCause.TOO_OLD,
        DeadLetterCause.RECORD_LOST,
    }
    assert failure(DeadLetterCause.HANDLER_FAILED) == ("handler_failed", True)
