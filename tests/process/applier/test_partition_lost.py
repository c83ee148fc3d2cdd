"""Promise 2 in docs/architecture.md: a worker that may have lost its partition sends nothing, not even a resend."""

import pytest

from consumers.engine import PartitionLost, RetryAt
from schemas.commands import HandoffRequest


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
