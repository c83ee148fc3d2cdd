import base64
import os
import random
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.engine.core.limits import LARGEST_RECORD
from consumers.engine.core.offset_tracker import WINDOW, BitmapUnreadable, OffsetTracker

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "20"))  # use more after a change of the tested module
SMALL_WINDOW = 12


def bitmap_of(tracker):
    """Return the bits that the tracker writes: bit i is the offset watermark + i."""
    packed = tracker.encode()
    return int.from_bytes(zlib.decompress(base64.b85decode(packed)), "little") if packed else 0


def written(bitmap):
    """Return what a tracker of the whole window writes for these bits."""
    return base64.b85encode(zlib.compress(bitmap.to_bytes(WINDOW // 8, "little"))).decode()


def finished_of(tracker, offsets):
    bitmap = bitmap_of(tracker)
    return {one for one in offsets if one < tracker.watermark or bitmap >> (one - tracker.watermark) & 1}


class OffsetTrackerAgainstALog(RuleBasedStateMachine):
    """A log with holes, read again and again from the committed offset; the model is the set of finished offsets."""

    def __init__(self):
        super().__init__()
        self.tracker = OffsetTracker(0, window=SMALL_WINDOW)
        self.log = []
        self.read = 0  # records of the log since the last crash
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
        if not self.tracker.accepts(offset):
            assert offset >= self.tracker.watermark + SMALL_WINDOW
            assert self.taken, "without an unfinished offset no room could appear"
            return
        self.read += 1
        is_new = self.tracker.take(offset)
        assert is_new == (offset not in self.finished)
        if is_new:
            self.taken.add(offset)

    @precondition(lambda self: self.read > 0)
    @rule(data=st.data())
    def take_an_earlier_offset_again(self, data):
        offset = self.log[data.draw(st.integers(0, self.read - 1))]
        before = self.tracker.watermark, self.tracker.next_offset
        assert not self.tracker.take(offset)
        assert (self.tracker.watermark, self.tracker.next_offset) == before

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def finish_one(self, data):
        offset = data.draw(st.sampled_from(sorted(self.taken)))
        self.taken.remove(offset)
        self.finished.add(offset)
        self.tracker.finish(offset)

    @rule()
    def commit(self):
        self.committed = (self.tracker.watermark, self.tracker.encode())

    @rule()
    def crash_after_a_commit(self):
        self.commit()
        self.tracker = OffsetTracker(*self.committed, window=SMALL_WINDOW)
        self.taken.clear()
        self.read = sum(offset < self.tracker.next_offset for offset in self.log)
        assert self.finished == finished_of(self.tracker, self.log)

    @invariant()
    def the_watermark_never_passes_unfinished_work(self):
        assert all(offset in self.finished for offset in self.log if offset < self.tracker.watermark)
        assert self.tracker.watermark <= min(self.taken, default=self.tracker.watermark)

    @invariant()
    def finished_offsets_are_known_exactly(self):
        read = self.log[: self.read]
        assert finished_of(self.tracker, read) == self.finished.intersection(read)
        assert (self.tracker.gap == 0) == (not self.taken)

    @invariant()
    def bounds_hold(self):
        assert self.tracker.gap <= SMALL_WINDOW
        assert self.tracker.next_offset >= self.tracker.watermark
        assert bitmap_of(self.tracker).bit_length() <= SMALL_WINDOW


OffsetTrackerAgainstALog.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestOffsetTrackerAgainstALog = OffsetTrackerAgainstALog.TestCase


@given(st.sets(st.integers(0, 300)), st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_watermark_and_bitmap_reproduce_exactly_the_finished_offsets(finished, begin):
    tracker = OffsetTracker(begin)
    for offset in range(begin, begin + 301):
        assert tracker.take(offset)
    for offset in finished:
        tracker.finish(begin + offset)
    again = OffsetTracker(tracker.watermark, tracker.encode())
    taken = {offset for offset in range(begin, begin + 301) if again.take(offset)}
    assert taken == {begin + offset for offset in range(301)} - {begin + offset for offset in finished}


def test_the_fullest_random_bitmap_fits_a_record():
    finished = random.Random(7).getrandbits(WINDOW) & ~1
    tracker = OffsetTracker(0, written(finished))
    assert len(tracker.encode()) < LARGEST_RECORD / 5
    assert bitmap_of(tracker) == bitmap_of(OffsetTracker(0, tracker.encode())) == finished


def test_records_that_were_finished_behind_a_waiting_one_are_skipped_quickly():
    """A copy of the bitmap per record would take a minute."""
    again = OffsetTracker(0, written((1 << WINDOW) - 2))
    began = time.process_time()
    taken = [offset for offset in range(WINDOW // 4) if again.take(offset)]
    assert time.process_time() - began < 5.0
    assert taken == [0]
    assert again.watermark == 0
    again.finish(0)
    assert again.watermark == WINDOW


def test_one_unfinished_offset_fills_the_window_and_no_more():
    tracker = OffsetTracker(0, window=SMALL_WINDOW)
    tracker.take(0)
    for offset in range(1, SMALL_WINDOW):
        assert tracker.accepts(offset)
        tracker.take(offset)
        tracker.finish(offset)
    assert not tracker.accepts(SMALL_WINDOW)
    tracker.finish(0)
    assert tracker.accepts(SMALL_WINDOW)
    assert tracker.watermark == SMALL_WINDOW
    assert tracker.encode() == ""


def test_a_hole_of_the_log_counts_as_finished_once_a_later_offset_arrives():
    tracker = OffsetTracker(0)
    tracker.take(0)
    tracker.take(5)
    tracker.finish(0)
    assert tracker.watermark == 5
    tracker.finish(5)
    assert tracker.watermark == 6


def test_a_long_hole_while_idle_does_not_widen_the_bitmap():
    tracker = OffsetTracker(0)
    tracker.take(0)
    tracker.finish(0)
    assert tracker.accepts(10**9)
    assert tracker.take(10**9)
    assert tracker.watermark == 10**9
    assert tracker.encode() == ""


@pytest.mark.parametrize(
    "metadata",
    [
        "written by another program",
        "é",
        base64.b85encode(zlib.compress(b"\x01" * 10)).decode()[:-3],
        base64.b85encode(zlib.compress(bytes(WINDOW))).decode(),
        base64.b85encode(b"not zlib").decode(),
    ],
)
def test_metadata_of_another_program_is_rejected(metadata):
    with pytest.raises(BitmapUnreadable):
        OffsetTracker(7, metadata)


def test_skipping_deleted_records_keeps_the_finished_offsets():
    tracker = OffsetTracker(0)
    for offset in range(10):
        tracker.take(offset)
    for offset in (1, 4, 5, 7):
        tracker.finish(offset)
    again = OffsetTracker(tracker.watermark, tracker.encode())
    again.skip_to(4)
    assert again.watermark == 6
    assert [offset for offset in range(6, 10) if again.take(offset)] == [6, 8, 9]
    again.skip_to(3)
    assert again.watermark == 6
