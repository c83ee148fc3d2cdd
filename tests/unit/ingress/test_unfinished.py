"""The bound of unfinished commands, without time and Kafka."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingress.commands.unfinished import (
    FORGET_SECONDS,
    MAX_WAIT_SECONDS,
    MIN_WAIT_SECONDS,
    UNKNOWN_WAIT_SECONDS,
    CallerPace,
    PlaceKind,
    UnfinishedBounds,
    UnfinishedCommands,
)
from schemas.callers import pool_of

BOUNDS = UnfinishedBounds(caller=6, person=2, partition=3)


@pytest.fixture
def unfinished():
    return UnfinishedCommands(BOUNDS)


def fill(unfinished, count, now=0.0, caller="desk", first=0):
    """Take places in partitions that are never full. Return which were given."""
    return [unfinished.take(f"c-{first + n}", caller, (first + n) // BOUNDS.partition, now) for n in range(count)]


def test_closes_have_places_of_their_own_and_requests_take_none_of_them(unfinished):
    def close(number, caller="desk", partition=None):
        where = number // BOUNDS.partition if partition is None else partition
        return unfinished.take(f"x-{caller}-{number}", caller, where, 0.0, PlaceKind.CLOSE)

    assert [close(number) for number in range(7)] == [True] * 6 + [False]
    assert unfinished.wait_for_place("desk", 9, 0.0, PlaceKind.CLOSE) == UNKNOWN_WAIT_SECONDS
    assert fill(unfinished, 7) == [True] * 6 + [False], "closes take no place of requests"
    unfinished.give_back("c-0")
    assert unfinished.pace("desk", 0.0).unfinished == 6, "a sender keeps its window by the fuller kind"
    assert [close(number, "intake", 5) for number in range(4)] == [True, True, True, False], "a part of a partition"
    unfinished.end("x-desk-0", 1.0)
    assert close(7)
    assert fill(unfinished, 2, first=8) == [True, False]


def test_the_closes_of_a_person_are_bounded_by_those_of_no_other_person(unfinished):
    def closes(who, count):
        return [unfinished.take(f"{who}-{n}", f"people:{who}", 0, 0.0, PlaceKind.CLOSE) for n in range(count)]

    assert closes("ann", 3) == [True, True, False]
    assert [closes(who, 2) for who in "bcde"] == [[True, True]] * 4, "beyond the partition's bound of one caller"


def test_records_have_a_quarter_of_the_places_of_a_partition_for_a_day():
    unfinished = UnfinishedCommands(UnfinishedBounds(caller=100, person=100, partition=100))

    def records(who, now):
        took = [unfinished.take(f"{who}-{n}-{now}", who, 0, now, PlaceKind.RECORD) for n in range(100)]
        return took.count(True)

    assert [records(who, 0.0) for who in ("desk", "people:ann", "people:bob")] == [25, 25, 25]
    assert records("desk", 23 * 3_600.0) == 0, "no event, no place: a state that cannot be read keeps the records"
    assert unfinished.take("c-1", "desk", 0, 0.0), "a record takes no place of a command"
    unfinished.end("desk-0-0.0", 1.0)
    assert records("desk", 24 * 3_600.0 - 1) == 1
    assert records("desk", 24 * 3_600.0) == 24


def test_a_command_that_has_a_place_takes_no_second_one_at_the_bound(unfinished):
    fill(unfinished, 6)
    assert unfinished.take("c-3", "desk", 1, 5.0)
    assert unfinished.pace("desk", 5.0).unfinished == 6


def test_an_event_before_the_confirmation_frees_the_place_once(unfinished):
    fill(unfinished, 1)
    unfinished.end("c-0", 0.1)
    unfinished.end("c-0", 0.2)
    unfinished.refresh("c-0", 0.3)
    assert (unfinished.count(0.3), unfinished.holds("c-0")) == (0, False)


def test_a_place_without_an_event_is_free_after_fifteen_minutes_and_counts_as_no_end(unfinished):
    fill(unfinished, 6)
    assert not unfinished.take("c-9", "desk", 9, FORGET_SECONDS - 1)
    assert unfinished.take("c-9", "desk", 9, FORGET_SECONDS)
    assert unfinished.pace("desk", FORGET_SECONDS) == CallerPace(1, 0.0)


def test_a_command_that_waits_keeps_its_place(unfinished):
    fill(unfinished, 2)
    unfinished.refresh("c-0", FORGET_SECONDS - 1)
    assert unfinished.count(FORGET_SECONDS) == 1
    assert unfinished.holds("c-0")


def test_a_queue_of_more_than_fifteen_minutes_keeps_its_places(unfinished):
    fill(unfinished, 2)
    fill(unfinished, 2, now=FORGET_SECONDS - 10, first=2)
    unfinished.end("c-1", FORGET_SECONDS - 5)  # 895 s old
    assert unfinished.count(FORGET_SECONDS) == 3
    assert unfinished.count(2 * FORGET_SECONDS - 10) == 2, "c-0 is twice as old as c-1 was"


class TestRetryAfter:
    def test_without_an_ended_command_the_rate_is_unknown(self, unfinished):
        fill(unfinished, 6)
        assert unfinished.wait_for_place("desk", 9, 1.0) == UNKNOWN_WAIT_SECONDS
        assert unfinished.wait_for_place("desk", 9, FORGET_SECONDS - 20) == 20, "then the oldest is forgotten"

    def ending(self, seconds, held):
        """Return places that end every `seconds`, until `held` are left in four partitions."""
        unfinished = UnfinishedCommands(UnfinishedBounds(held, held, held // 4))
        for number in range(10):
            unfinished.take(f"e-{number}", "desk", 0, 0.0)
            unfinished.end(f"e-{number}", number * seconds)
            if number == 0:
                for each in range(held):
                    unfinished.take(f"h-{each}", "desk", each % 4, 0.0)
                unfinished.give_back("h-0")
        unfinished.take("h-0", "desk", 0, 0.0)
        return unfinished

    def test_it_is_the_time_of_a_place_at_the_callers_own_rate(self):
        unfinished, now = self.ending(20.0, 8), 200.0
        assert unfinished.pace("desk", now) == CallerPace(8, pytest.approx(10 / 200))
        # All eight end within 160 s, two of them in this partition: a place of it is free after 80 s.
        assert unfinished.wait_for_place("desk", 1, now) == pytest.approx(80.0)

    def test_each_refusal_is_promised_a_later_place_until_all_have_ended(self):
        unfinished = self.ending(20.0, 8)
        waits = [unfinished.wait_for_place("desk", 9, 200.0) for _ in range(10)]
        assert waits == pytest.approx([20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 160.0, 160.0])

    def test_it_is_at_most_fifteen_minutes_and_at_least_a_second(self):
        assert self.ending(0.001, 8).wait_for_place("desk", 9, 1.0) == MIN_WAIT_SECONDS
        slow = self.ending(80.0, 8)
        assert max(slow.wait_for_place("desk", 1, 800.0) for _ in range(9)) <= MAX_WAIT_SECONDS


ids = st.integers(0, 20).map("c-{}".format)
steps = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "give_back", "refresh", "end", "count"]),
        ids,
        st.sampled_from(["desk", "intake", "people:ann", "people:bob"]),
        st.booleans(),
        st.integers(0, 3),
        st.floats(0, 600),
    ),
    max_size=80,
)


def kind_of(is_close):
    return PlaceKind.CLOSE if is_close else PlaceKind.REQUEST


def shares(caller, is_close):
    """Return what shares bounds: for closes the caller itself, else all people of a prefix."""
    return (caller if is_close else pool_of(caller), is_close)


@given(steps)
def test_no_bound_is_exceeded_and_the_places_are_those_of_a_simple_model(history):
    unfinished, model, now = UnfinishedCommands(BOUNDS), {}, 0.0
    for action, command, caller, is_close, partition, seconds in history:
        now += seconds
        if action == "take":
            known = unfinished.holds(command)
            if not unfinished.take(command, caller, partition, now, kind_of(is_close)):
                assert not known
                wait = unfinished.wait_for_place(caller, partition, now, kind_of(is_close))
                assert MIN_WAIT_SECONDS <= wait <= MAX_WAIT_SECONDS
                own = [place for each, place in model.items() if unfinished.holds(each)]
                own = [(who, number) for who, kind, number in own if shares(who, kind) == shares(caller, is_close)]
                assert (
                    len(own) == BOUNDS.caller
                    or sum(number == partition for _, number in own) == BOUNDS.partition
                    or (pool_of(caller) != caller and sum(who == caller for who, _ in own) == BOUNDS.person)
                )
            elif not known:
                model[command] = (caller, is_close, partition)
        elif action == "give_back":
            unfinished.give_back(command)
        elif action == "refresh":
            unfinished.refresh(command, now)
        elif action == "end":
            unfinished.end(command, now)
        else:
            unfinished.count(now)
        model = {each: place for each, place in model.items() if unfinished.holds(each)}
        pools = Counter(shares(who, kind) for who, kind, _ in model.values())
        people = Counter((who, kind) for who, kind, _ in model.values() if pool_of(who) != who)
        in_partition = Counter((shares(who, kind), number) for who, kind, number in model.values())
        assert max(pools.values(), default=0) <= BOUNDS.caller
        assert max(people.values(), default=0) <= BOUNDS.person
        assert max(in_partition.values(), default=0) <= BOUNDS.partition
        names = {name for name, _ in pools}
        fullest = {name: max(pools[shares(name, is_close)] for is_close in (False, True)) for name in names}
        assert {name: unfinished.pace(name, now).unfinished for name in names} == fullest
