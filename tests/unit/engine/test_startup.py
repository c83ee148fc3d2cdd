import pytest
from aiokafka import TopicPartition

from consumers.engine import startup
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.startup import _log_end


class Consumer:
    def __init__(self, *ends):
        self.ends = list(ends)

    async def end_offsets(self, sources):
        return {sources[0]: self.ends.pop(0)}


@pytest.mark.parametrize(
    ("progress", "ends", "end"),
    [(None, [3], 3), (Committed(3, ""), [3], 3), (Committed(5, ""), [3, 3, 8], 8), (Committed(5, ""), [3] * 4, 3)],
)
async def test_a_log_end_before_the_progress_is_read_again(monkeypatch, progress, ends, end):
    monkeypatch.setattr(startup, "_LOG_END_RETRY_SECONDS", (0.0, 0.0, 0.0))
    consumer = Consumer(*ends)
    assert await _log_end(consumer, TopicPartition("commands", 0), progress) == end
    assert consumer.ends == []
