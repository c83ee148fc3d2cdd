"""The progress of a rebuilt partition: finished exactly if an event or the group's copy says so."""

from adapters.kafka.topic_copy import Extent
from consumers.applier.task import CommandTask
from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from offline.rebuild.history import History
from offline.rebuild.logged import logged
from offline.rebuild.partition import PartitionSources, RebuildInput, progress_of
from schemas.commands import AuthorizationWatch
from schemas.topics import catalogue

BEGIN = 3


def known(copy=None):
    extents = {"commands": [Extent(BEGIN, 7)]}
    copies = {} if copy is None else {0: copy}
    return RebuildInput(None, catalogue("t."), extents, copies, "topic id", b"k" * 16, None, 60.0, 1_000.0)


def sources(*is_ended, events_since=0.0):
    found = PartitionSources(events_since=events_since)
    for place, has_end in enumerate(is_ended):
        id_ = f"command {place}"
        task = CommandTask(id_, id_, "intake", "auth_1", AuthorizationWatch(), 500.0, 500.0, b"d" * 32)
        found.commands[b"auth_1"].append(logged(task, 0, BEGIN + place))
        if has_end:
            found.histories.setdefault(b"auth_1", History(0.0)).ends.add((id_, 0))
    return found


def finished(progress):
    tracker = OffsetTracker(*progress)
    return [
        offset < tracker.watermark or offset in set(tracker.finished_beyond()) for offset in range(BEGIN, BEGIN + 4)
    ]


def test_a_command_is_finished_exactly_if_its_end_is_in_events():
    progress, unfinished = progress_of(sources(True, False, True, False), known(), 0)
    assert (progress.offset, finished(progress), unfinished) == (BEGIN + 1, [True, False, True, False], 2)


def test_what_the_groups_copy_calls_finished_is_finished_too():
    progress, unfinished = progress_of(sources(False, False, False, True), known(BEGIN + 2), 0)
    assert (progress.offset, finished(progress), unfinished) == (BEGIN + 2, [True, True, False, True], 1)


def test_a_partition_without_commands_begins_at_its_log():
    assert progress_of(sources(), known(), 0) == (Committed(BEGIN, ""), 0)


def test_an_unfinished_command_from_before_the_first_event_may_have_lost_its_end():
    assert sources(True, False, events_since=501.0).has_lost_ends()
    assert not sources(True, False, events_since=499.0).has_lost_ends()
    assert not sources(True, True, events_since=501.0).has_lost_ends()
