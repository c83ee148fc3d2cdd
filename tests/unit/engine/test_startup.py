import pytest
from aiokafka import TopicPartition

from consumers.engine import startup
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import IN_STATE, CopyForm
from consumers.engine.startup import _is_copy_of, _log_end


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


@pytest.mark.parametrize(
    ("copy", "form", "is_copy"),
    [
        (None, CopyForm.NEW, False),
        (None, CopyForm.OLD, False),
        (Committed(7, IN_STATE), CopyForm.NEW, True),
        (Committed(5, IN_STATE), CopyForm.NEW, True),
        (Committed(8, IN_STATE), CopyForm.NEW, False),
        (Committed(7, ""), CopyForm.NEW, False),
        (Committed(7, ""), CopyForm.OLD, True),
        (Committed(5, ""), CopyForm.OLD, False),
        (Committed(7, IN_STATE), CopyForm.OLD, False),
    ],
)
def test_a_start_writes_a_copy_that_is_absent_ahead_or_in_the_other_form(copy, form, is_copy):
    assert _is_copy_of(copy, Committed(7, ""), form) is is_copy
