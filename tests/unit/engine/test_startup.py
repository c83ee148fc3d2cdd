import pytest
from aiokafka import TopicPartition

from consumers.engine import startup
from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from consumers.engine.startup import OperatorNeeded, _check_offset, _log_end, _usable_offset


def beyond(watermark, *finished):
    progress = OffsetTracker(watermark)
    for offset in range(watermark, max(finished) + 1):
        progress.take(offset)
    for offset in finished:
        progress.finish(offset)
    return Committed(progress.watermark, progress.encode())


@pytest.mark.parametrize(
    ("committed", "has_states"),
    [
        pytest.param(None, False, id="a new group"),
        pytest.param(Committed(5, ""), True, id="the oldest"),
        pytest.param(Committed(9, ""), True, id="the end"),
        pytest.param(beyond(6, 8), True, id="with a bitmap"),
    ],
)
def test_usable_offsets(committed, has_states):
    _check_offset(committed, 5, 9, has_states=has_states)
    assert _usable_offset(committed, 5, 9) == (committed or Committed(5, ""))


@pytest.mark.parametrize(
    ("committed", "why", "resumed"),
    [
        pytest.param(None, "no committed offset", Committed(5, ""), id="lost"),
        pytest.param(Committed(4, ""), "deleted 1 offsets", Committed(5, ""), id="deleted"),
        pytest.param(beyond(3, 5, 6, 8), "deleted 2 offsets", beyond(7, 8), id="deleted, and some finished beyond"),
        pytest.param(Committed(10, ""), "created again", Committed(5, ""), id="beyond the end"),
        pytest.param(Committed(7, "?"), "Another program", Committed(7, ""), id="by another program"),
    ],
)
def test_unusable_offsets_need_an_operator_and_have_a_replacement(committed, why, resumed):
    with pytest.raises(OperatorNeeded, match=why):
        _check_offset(committed, 5, 9, has_states=True)
    assert _usable_offset(committed, 5, 9) == resumed


class Consumer:
    def __init__(self, *ends):
        self.ends = list(ends)

    async def end_offsets(self, sources):
        return {sources[0]: self.ends.pop(0)}


@pytest.mark.parametrize(
    ("committed", "ends", "end"),
    [(None, [3], 3), (Committed(3, ""), [3], 3), (Committed(5, ""), [3, 3, 8], 8), (Committed(5, ""), [3] * 4, 3)],
)
async def test_a_log_end_before_the_committed_offset_is_read_again(monkeypatch, committed, ends, end):
    monkeypatch.setattr(startup, "_LOG_END_RETRY_SECONDS", (0.0, 0.0, 0.0))
    consumer = Consumer(*ends)
    assert await _log_end(consumer, TopicPartition("commands", 0), committed) == end
    assert consumer.ends == []
