"""Promise 2: a worker that may have lost its partition sends nothing, not even what it has sent before."""

import pytest

from consumers.engine import PartitionLost, RetryAt
from schemas.commands import HandoffRequest


async def test_a_resend_does_not_leave_once_the_partition_may_be_anothers(make_lane):
    lane = make_lane()
    lane.sim.fault("reset", when="before", method="POST", count=1)
    lane.send(HandoffRequest())
    assert isinstance(await lane.turn(), RetryAt)
    creates = [name for name, _ in lane.collate.calls].count("create_handoff")
    assert creates == 1
    lane.is_lost = True
    with pytest.raises(PartitionLost):
        await lane.turn()
    assert [name for name, _ in lane.collate.calls].count("create_handoff") == creates
