import base64
import os
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.engine.core.offset_tracker import WINDOW, MetadataUnreadable, OffsetTracker

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "20"))  # more when something in here has changed
SMALL_WINDOW = 12
LARGEST_METADATA = 4_096  # the broker's offset.metadata.max.bytes


def is_finished(progress, offset):
    return offset < progress.watermark or bool(progress._finished >> (offset - progress.watermark) & 1)


class ProgressAgainstALog(RuleBasedStateMachine):
    """A log with holes, read again and again from what was committed; the model is the set of finished offsets."""

    def __init__(self):
        super().__init__()
        self.progress = OffsetTracker(0, window=SMALL_WINDOW)
        self.log = []
        self.read = 0  # how many records of the log this life has been offered
        self.taken = set()
        self.finished = set()
        self.committed = (0, "")

    @rule(hole=st.sampled_from([0, 0, 0, 1, 2, 30]))
    def append(self, hole):
        self.log.append((self.log[-1] + 1 if self.log else 0) + hole)

    @precondition(lambda self: self.read < len(self.log))
    @rule()
    def take_the_next(self):
        offset = self.log[self.read]
        if not self.progress.accepts(offset):
            assert offset >= self.progress.watermark + SMALL_WINDOW
            assert self.taken, "nothing is unfinished, so nothing could ever make room"
            return
        self.read += 1
        is_new = self.progress.take(offset)
        assert is_new == (offset not in self.finished)
        if is_new:
            self.taken.add(offset)

    @precondition(lambda self: self.read > 0)
    @rule(data=st.data())
    def take_an_old_one_again(self, data):
        offset = self.log[data.draw(st.integers(0, self.read - 1))]
        before = self.progress.watermark, self.progress.next_offset
        assert not self.progress.take(offset)
        assert (self.progress.watermark, self.progress.next_offset) == before

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def finish_one(self, data):
        offset = data.draw(st.sampled_from(sorted(self.taken)))
        self.taken.remove(offset)
        self.finished.add(offset)
        self.progress.finish(offset)

    @rule()
    def commit(self):
        self.committed = (self.progress.watermark, self.progress.encode())

    @rule()
    def crash_after_a_commit(self):
        self.commit()
        self.progress = OffsetTracker(*self.committed, window=SMALL_WINDOW)
        self.taken.clear()
        self.read = sum(offset < self.progress.next_offset for offset in self.log)
        assert self.finished == {offset for offset in self.log if is_finished(self.progress, offset)}

    @invariant()
    def the_watermark_never_passes_unfinished_work(self):
        assert all(offset in self.finished for offset in self.log if offset < self.progress.watermark)
        assert self.progress.watermark <= min(self.taken, default=self.progress.watermark)

    @invariant()
    def what_is_finished_is_known_exactly(self):
        assert all(is_finished(self.progress, offset) == (offset in self.finished) for offset in self.log[: self.read])
        assert (self.progress.gap == 0) == (not self.taken)

    @invariant()
    def bounds_hold(self):
        assert self.progress.gap <= SMALL_WINDOW
        assert self.progress.next_offset >= self.progress.watermark
        assert self.progress._finished.bit_length() <= SMALL_WINDOW


ProgressAgainstALog.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestProgressAgainstALog = ProgressAgainstALog.TestCase


@given(st.sets(st.integers(0, 300)), st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_watermark_and_bitmap_reproduce_exactly_what_is_finished(finished, begin):
    progress = OffsetTracker(begin)
    for offset in range(begin, begin + 301):
        assert progress.take(offset)
    for offset in finished:
        progress.finish(begin + offset)
    again = OffsetTracker(progress.watermark, progress.encode())
    taken = {offset for offset in range(begin, begin + 301) if again.take(offset)}
    assert taken == {begin + offset for offset in range(301)} - {begin + offset for offset in finished}


def test_the_fullest_random_bitmap_fits_the_commit_metadata():
    chosen = random.Random(7)
    progress = OffsetTracker(0)
    for offset in range(WINDOW):
        progress.take(offset)
    for offset in range(1, WINDOW):
        if chosen.random() < 0.5:
            progress.finish(offset)
    metadata = progress.encode()
    assert len(metadata) < LARGEST_METADATA / 2
    assert OffsetTracker(0, metadata)._finished == progress._finished


def test_one_stuck_offset_holds_the_window_and_no_more():
    progress = OffsetTracker(0)
    progress.take(0)
    for offset in range(1, WINDOW):
        assert progress.accepts(offset)
        progress.take(offset)
        progress.finish(offset)
    assert not progress.accepts(WINDOW)
    progress.finish(0)
    assert progress.accepts(WINDOW)
    assert progress.watermark == WINDOW
    assert progress.encode() == ""


def test_a_hole_of_the_log_counts_as_finished_once_a_later_offset_arrives():
    progress = OffsetTracker(0)
    progress.take(0)
    progress.take(5)
    progress.finish(0)
    assert progress.watermark == 5
    progress.finish(5)
    assert progress.watermark == 6


def test_a_long_hole_while_idle_does_not_widen_the_bitmap():
    progress = OffsetTracker(0)
    progress.take(0)
    progress.finish(0)
    assert progress.accepts(10**9)
    assert progress.take(10**9)
    assert progress.watermark == 10**9
    assert progress.encode() == ""


@pytest.mark.parametrize(
    "metadata",
    [
        "written by another program",
        "é",
        base64.b85encode(zlib.compress(b"\x01" * 10)).decode()[:-3],
        base64.b85encode(zlib.compress(bytes(100_000))).decode(),
        base64.b85encode(b"not zlib").decode(),
    ],
)
def test_metadata_of_another_program_is_rejected(metadata):
    with pytest.raises(MetadataUnreadable):
        OffsetTracker(7, metadata)


def test_skipping_deleted_records_keeps_the_finished_offsets():
    progress = OffsetTracker(0)
    for offset in range(10):
        progress.take(offset)
    for offset in (1, 4, 5, 7):
        progress.finish(offset)
    again = OffsetTracker(progress.watermark, progress.encode())
    again.skip_to(4)
    assert again.watermark == 6
    assert [offset for offset in range(6, 10) if again.take(offset)] == [6, 8, 9]
    again.skip_to(3)
    assert again.watermark == 6
