from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from offline.migration.progress import NewProgress


def tracker_of(count, finished):
    tracker = OffsetTracker(0)
    for offset in range(count):
        tracker.take(offset)
    for offset in finished:
        tracker.finish(offset)
    return tracker


@given(
    st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=60),
    st.lists(st.integers(0, 2), min_size=60, max_size=60),
)
def test_exactly_the_finished_commands_are_finished_in_the_new_partitions(commands, places):
    counts, finished = [0, 0], [[], []]
    copied = []
    for (source, is_finished), target in zip(commands, places, strict=False):
        copied.append((source, counts[source], target, is_finished))
        if is_finished:
            finished[source].append(counts[source])
        counts[source] += 1
    sources = {number: tracker_of(counts[number], finished[number]).committed() for number in (0, 1)}
    progress = NewProgress(sources, 3)
    wanted = [[], [], []]
    for source, offset, target, is_finished in copied:
        wanted[target].append(is_finished)
        progress.copied(source, offset, target)

    assert progress.unfinished == sum(not one for of_target in wanted for one in of_target)
    for target, committed in enumerate(progress.committed()):
        resumed = OffsetTracker(*committed)
        again = [offset for offset in range(len(wanted[target])) if resumed.take(offset)]
        assert again == [offset for offset, is_finished in enumerate(wanted[target]) if not is_finished]


def test_commands_of_an_added_partition_are_unfinished():
    progress = NewProgress({0: Committed(5, ""), 1: None}, 1)
    progress.copied(0, 4, 0)
    progress.copied(1, 0, 0)
    assert (progress.unfinished, progress.committed()) == (1, [Committed(1, "")])
