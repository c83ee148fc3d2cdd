import pytest

from adapters.kafka.topic_copy import Extent
from offline.migration.plan import MigrationPlan, PlanUnreadable

PLAN = MigrationPlan("old.", 6, {"commands": (Extent(0, 5), Extent(2, 9)), "state": (Extent(0, 1),)})


def changed(role, number, extent):
    extents = {
        **PLAN.extents,
        role: tuple(extent if at == number else one for at, one in enumerate(PLAN.extents[role])),
    }
    return MigrationPlan(PLAN.source, PLAN.partitions, extents)


def test_a_plan_reads_what_it_wrote():
    assert MigrationPlan.decode(PLAN.encode()) == PLAN
    assert list(PLAN.differences(PLAN)) == []


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (changed("commands", 1, Extent(2, 10)), "old.commands 1 ended at 9, now at 10: a process still runs"),
        (changed("commands", 1, Extent(3, 9)), "old.commands 1 began at 2, now at 3: retention"),
        (MigrationPlan("other.", 6, PLAN.extents), "it moves old.* to 6 partitions"),
        (MigrationPlan("old.", 7, PLAN.extents), "it moves old.* to 6 partitions"),
        (
            MigrationPlan("old.", 6, {**PLAN.extents, "state": (Extent(0, 1), Extent(0, 0))}),
            "old.state had 1 partitions, now 2",
        ),
    ],
)
def test_a_source_that_changed_is_named(now, says):
    assert list(PLAN.differences(now)) == [says]


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[1]", b'{"v": 2}', b'{"v":1,"source":"a","partitions":1,"extents":{"a":[1]}}']
)
def test_another_record_is_no_plan(value):
    with pytest.raises(PlanUnreadable):
        MigrationPlan.decode(value)
