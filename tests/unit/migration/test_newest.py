from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY
from offline.migration.copying import Newest
from offline.migration.plan import PLAN_KEY
from tests.unit.migration.test_merge import Record


def seen(*records):
    newest = Newest()
    for record in records:
        newest.see(record)
    return newest


def test_only_the_newest_value_of_a_key_is_copied_and_no_deleted_key():
    first, second, gone = Record(0, 0, 1, b"a"), Record(0, 1, 1, b"a"), Record(0, 2, 1, b"b", None)
    newest = seen(first, Record(0, 3, 1, b"b"), second, Record(0, 4, 1, b"b", None))
    assert [newest.is_newest(one) for one in (first, second, gone)] == [False, True, False]


def test_the_engines_own_records_are_not_copied_and_the_progress_is_read():
    records = [Record(1, number, 1, key) for number, key in enumerate((MARKER_KEY, PROGRESS_KEY, PLAN_KEY))]
    newest = seen(*records)
    assert newest.places == {}
    assert newest.progress == {1: b"v"}


def test_a_key_with_states_in_two_partitions_is_noticed():
    assert seen(Record(0, 0, 1, b"a"), Record(1, 0, 2, b"a")).twice == {b"a"}
    assert seen(Record(0, 0, 1, b"a"), Record(0, 1, 2, b"a")).twice == set()
