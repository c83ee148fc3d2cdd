"""Promise 2 in docs/architecture.md: a worker that may have lost its partition sends nothing, not even a resend."""

import pytest

from consumers.engine import PartitionLost, RetryAt
from schemas.commands import HandoffRequest

CREATE = "/manual-handoffs$"


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
