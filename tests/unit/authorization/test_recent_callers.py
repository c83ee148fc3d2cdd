"""Each caller's share of the recent commands."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.recent_callers import MOST_REJECTED, SHARE, count
from consumers.authorization.recent_commands import MOST, CommandEnd

NOW = 1_800_000_000.0
DAY = 24 * 3600.0 + 60


class Ids:
    """The recent commands of one authorization."""

    def __init__(self):
        self.packed, self.callers, self.ids, self.forgotten = "", "", {}, None

    def add(self, caller, times=1, now=NOW, **options):
        for _ in range(times):
            one = str(uuid.uuid4())
            self.ids.setdefault(caller, []).append(one)
            self.again(one, caller, now, **options)

    def fill(self, caller, times):
        """Add many at once below every bound: `add` then only appends, but takes time for each id."""
        for _ in range(times):
            one = str(uuid.uuid4())
            self.ids.setdefault(caller, []).append(one)
            packed, callers, _ = recent_callers.add(
                "", "", one, b"dddd", CommandEnd.FINISHED, caller=caller, now=NOW, until=NOW
            )
            self.packed, self.callers = self.packed + packed, self.callers + callers

    def again(self, one, caller, now=NOW, **options):
        self.packed, self.callers, self.forgotten = recent_callers.add(
            self.packed, self.callers, one, b"dddd", CommandEnd.FINISHED, caller=caller, now=now, until=now, **options
        )

    def count(self, caller, now=NOW):
        return count(self.packed, self.callers, caller, now)

    def kept(self, caller):
        return [one for one in self.ids[caller] if recent_commands.find(self.packed, one) is not None]


def test_a_caller_is_counted_alone():
    ids = Ids()
    ids.add("a", 3)
    ids.add("b", 2)
    ids.again(ids.ids["b"][0], "b")
    assert (ids.count("a"), ids.count("b"), ids.count("c")) == (3, 2, 0)


def test_a_caller_above_its_share_loses_its_own_oldest_id():
    ids = Ids()
    ids.add("b", 5)
    ids.fill("a", SHARE - 1)
    ids.add("a", 8)
    assert ids.kept("b") == ids.ids["b"]
    assert ids.kept("a") == ids.ids["a"][7:]


def test_rejections_over_a_share_take_no_place_of_other_commands():
    ids = Ids()
    ids.add("a", 5)
    ids.add("a", MOST_REJECTED, over_share=True)
    assert (ids.count("a"), ids.forgotten) == (5, None)
    ids.add("a", 1, NOW + 7, over_share=True)
    assert ids.kept("a") == ids.ids["a"][:5] + ids.ids["a"][6:]
    assert ids.forgotten == (recent_callers.tags("a")[1], NOW)
    ids.packed, ids.callers = recent_callers.emptied(ids.packed, ids.callers, "a")
    assert ids.kept("a") == []


def test_a_new_caller_takes_its_place_from_the_fullest():
    ids = Ids()
    for number in range(4):
        ids.fill(f"c{number}", SHARE - number)
    ids.add("late", 10)
    assert ids.kept("late") == ids.ids["late"]
    assert len(recent_commands.ids(ids.packed)) == MOST
    assert ids.kept("c3") == ids.ids["c3"]


def test_many_callers_with_two_ids_each_keep_the_bound_of_all(monkeypatch):
    monkeypatch.setattr(recent_callers, "MOST", 40)
    ids = Ids()
    for number in range(25):
        ids.add(f"c{number}", 2)
    assert len(recent_commands.ids(ids.packed)) == 40


def test_ids_expire_after_a_day():
    ids = Ids()
    ids.add("a", 3)
    ids.add("a", 1, NOW + 10)
    assert (ids.count("a", NOW + DAY), ids.count("a", NOW + DAY + 1)) == (4, 1)
    ids.add("a", 1, NOW + DAY + 1)
    assert ids.count("a", NOW + DAY + 1) == 2


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 40)), max_size=12), st.integers(2, 30))
def test_no_caller_loses_an_id_to_another_below_the_bound_of_all(steps, share):
    ids, own = Ids(), recent_callers.SHARE
    recent_callers.SHARE = share
    try:
        for caller, times in steps:
            ids.add(caller, times)
    finally:
        recent_callers.SHARE = own
    for caller in ids.ids:
        assert ids.kept(caller) == ids.ids[caller][-share:]
        assert ids.count(caller) == min(share, len(ids.ids[caller]))


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 20)), max_size=12))
def test_emptying_one_callers_ids_leaves_those_of_others(steps):
    ids = Ids()
    for caller, times in steps:
        ids.add(caller, times)
    before = len(recent_commands.ids(ids.packed))
    removed = ids.count("a")
    ids.packed, ids.callers = recent_callers.emptied(ids.packed, ids.callers, "a")
    assert (ids.count("a"), len(recent_commands.ids(ids.packed))) == (0, before - removed)
    assert ids.kept("b") == ids.ids["b"] if "b" in ids.ids else True
    assert recent_callers.emptied(ids.packed, ids.callers, None) == ("", "")
