import os
import re
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.timers import Timers
from consumers.engine.interface import Passing, Record, Turn
from schemas.events.wait_reasons import WaitReason

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "20"))  # use more after a change of the tested module
KEYS = [b"a", b"b", b"c", b"d"]
FAR = 10_000.0


def record(key, offset):
    return Record(0, offset, key, b"", (), 0.0)


def turn_by_offset(record):
    return Turn(f"sender{record.offset % 3}", is_urgent=record.offset % 2 == 0)


class KeyQueuesAgainstAModel(RuleBasedStateMachine):
    """The model: a queue of offsets per key, what runs, until when it waits, and the timers."""

    def __init__(self):
        super().__init__()
        self.key_queues = KeyQueues(lambda record: self.passing.get(record.offset, Passing.NO), turn_by_offset)
        self.passing = {}
        self.now = self.latest = 100.0
        self.offset = 0
        self.queued = {key: [] for key in KEYS}
        self.running = {}
        self.waiting = {}
        self.kept = {}  # by key: until when the record behind those that pass waits
        self.timers = {}
        self.records_since_timer = 0

    @initialize(timers=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([50.0, 100.0, 101.0, 400.0])))
    def begin_with_restored_timers(self, timers):
        for key, at in timers.items():
            self.key_queues.set_timer(key, at)
        self.timers = dict(timers)

    @rule(key=st.sampled_from(KEYS))
    def add(self, key):
        self.queued[key].append(self.offset)
        self.key_queues.add(record(key, self.offset), self.now)
        self.offset += 1

    @rule(key=st.sampled_from(KEYS), passing=st.sampled_from([Passing.KEEPS_WAIT, Passing.ENDS_WAIT]))
    def add_one_that_passes(self, key, passing):
        queued = self.queued[key]
        place = int(key in self.running and not self.running[key][1])
        while place < len(queued) and queued[place] in self.passing:
            place += 1
        if place == 0 and key in self.waiting:
            until = self.waiting.pop(key)
            if passing is Passing.KEEPS_WAIT:
                self.kept[key] = until
        queued.insert(place, self.offset)
        self.passing[self.offset] = passing
        self.key_queues.add(record(key, self.offset), self.now)
        self.offset += 1

    @precondition(lambda self: any(is_timer for _, is_timer in self.running.values()))
    @rule(data=st.data())
    def add_behind_a_running_timer(self, data):
        self.add(data.draw(st.sampled_from(sorted(key for key, (_, is_timer) in self.running.items() if is_timer))))

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0, 50.0, 400.0]))
    def let_time_pass(self, seconds):
        self.now += seconds
        self.latest = max(self.latest, self.now)

    @rule()
    def set_the_clock_back(self):
        self.now -= 3.0

    @rule(is_late=st.booleans())
    def take_the_next(self, is_late):
        records_first = any(self.queued[key] for key in self.idle) or (is_late and self.records_run)
        queue = self.key_queues.next_ready(self.now, is_late=is_late)
        if queue is None:
            if is_late and self.records_run:
                self.check_that_no_record_could_run()
            else:
                self.check_that_nothing_could_run()
            return
        assert queue.key not in self.running, "a key runs twice at once"
        assert [item.offset for item in queue.records] == self.queued[queue.key], "a key's records were reordered"
        assert self.waiting.pop(queue.key, 0.0) <= self.latest, "it was tried too early"
        assert queue.is_for_timer is not bool(queue.records)
        self.running[queue.key] = (queue, queue.is_for_timer)
        if queue.records:
            self.records_since_timer += 1
        else:
            assert queue.key in self.timers, "it runs for nothing"
            assert not records_first or self.records_since_timer >= 8, "a timer delays records"
            self.records_since_timer = 0

    @property
    def idle(self):
        return [key for key in KEYS if key not in self.running and key not in self.waiting]

    @property
    def records_run(self):
        return any(not is_timer for _, is_timer in self.running.values())

    def check_that_no_record_could_run(self):
        assert not any(self.queued[key] for key in self.idle), "a queue with work was forgotten"
        if any(key in self.timers and self.timers[key] <= self.now for key in self.idle):
            assert self.key_queues.next_due() <= self.now, "nothing would start it"

    def check_that_nothing_could_run(self):
        idle = self.idle
        assert not any(self.queued[key] for key in idle), "a queue with work was forgotten"
        assert all(self.timers[key] > self.now for key in idle if key in self.timers), "a timer was forgotten"
        assert all(until > self.now for until in self.waiting.values())
        due = self.key_queues.next_due()
        expected = [*self.waiting.values(), *(self.timers[key] for key in idle if key in self.timers)]
        if expected:
            assert due is not None
            assert due <= min(expected), "it would start too late"

    @precondition(lambda self: self.running)
    @rule(data=st.data(), timer_in=st.sampled_from([None, None, -1.0, 0.0, 2.0, 20.0, 70.0, 500.0]))
    def finish(self, data, timer_in):
        queue, is_timer = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        timer_at = None if timer_in is None else self.now + timer_in
        self.key_queues.finish(queue, timer_at=timer_at, now=self.now)
        if not is_timer:
            self.queued[queue.key].pop(0)
            self.continue_the_wait(queue.key)
        self.timers.pop(queue.key, None)
        if timer_at is not None:
            self.timers[queue.key] = timer_at

    @precondition(lambda self: any(not is_timer for _, is_timer in self.running.values()))
    @rule(data=st.data(), after=st.sampled_from([0.0, 1.0, 30.0]), reason=st.sampled_from(list(WaitReason)))
    def wait(self, data, after, reason):
        key = data.draw(st.sampled_from(sorted(key for key, (_, is_timer) in self.running.items() if not is_timer)))
        queue, _ = self.running.pop(key)
        self.waiting[key] = self.now + after
        self.let_the_next_pass(key)
        self.key_queues.retry(queue, self.now + after, reason, self.now)

    def let_the_next_pass(self, key):
        queued = self.queued[key]
        if len(queued) > 1 and queued[1] in self.passing and queued[0] not in self.passing:
            queued.insert(0, queued.pop(1))
            until = self.waiting.pop(key, None)
            if self.passing[queued[0]] is Passing.KEEPS_WAIT and until is not None:
                self.kept[key] = until

    def continue_the_wait(self, key):
        queued = self.queued[key]
        if not queued or key not in self.kept:
            return
        match self.passing.get(queued[0], Passing.NO):
            case Passing.NO:
                self.waiting[key] = self.kept.pop(key)
            case Passing.ENDS_WAIT:
                del self.kept[key]

    @invariant()
    def an_invocation_keeps_its_kind(self):
        assert all(queue.is_for_timer is is_timer for queue, is_timer in self.running.values())

    @invariant()
    def counts_are_right(self):
        assert self.key_queues.records == sum(len(queue) for queue in self.queued.values())
        assert self.key_queues.timers == len(self.timers)
        assert sum(self.key_queues.waits().values()) <= len(self.waiting) + len(self.kept)

    def teardown(self):
        """Given time, everything runs, in order."""
        for queue, is_timer in self.running.values():
            if is_timer:
                self.timers.pop(queue.key, None)
                self.key_queues.finish(queue, timer_at=None, now=self.now)
            else:
                self.let_the_next_pass(queue.key)
                self.key_queues.retry(queue, self.now, WaitReason.BACKOFF, self.now)
        owed = {key for key, at in self.timers.items() if at is not None}
        while (due := self.key_queues.next_due()) is not None or self.key_queues.may_have_ready(self.now):
            self.now = max(self.now, due or self.now)
            while (queue := self.key_queues.next_ready(self.now)) is not None:
                if queue.records:
                    assert queue.records[0].offset == self.queued[queue.key].pop(0)
                    at = self.key_queues.timer_of(queue.key)
                    self.key_queues.finish(queue, timer_at=at, now=self.now)
                else:
                    owed.remove(queue.key)
                    self.key_queues.finish(queue, timer_at=None, now=self.now)
        assert not any(self.queued.values())
        assert not owed
        assert len(self.key_queues) == 0
        assert self.key_queues.records == 0


KeyQueuesAgainstAModel.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestKeyQueuesAgainstAModel = KeyQueuesAgainstAModel.TestCase


def turn_by_key(record):
    sender, kind, _ = record.key.split(b"-")
    return Turn(sender.decode(), is_urgent=kind == b"urgent")


def taken(key_queues, count, now=2.0):
    return [key_queues.next_ready(now).key for _ in range(count)]


def test_new_queues_of_a_sender_and_those_that_return_have_the_same_turns():
    key_queues = KeyQueues(turn_of=turn_by_key)
    for number in range(4):
        key_queues.add(record(b"a-other-returning%d" % number, number), 0.0)
    for _ in range(4):
        key_queues.retry(key_queues.next_ready(0.0), 1.0, WaitReason.BACKOFF, 0.0)
    assert key_queues.next_ready(0.5) is None
    for number in range(2):
        key_queues.add(record(b"a-other-fresh%d" % number, number), 0.5)
        key_queues.add(record(b"b-other-fresh%d" % number, number), 0.5)
    keys = taken(key_queues, 8)
    assert [key[:1] for key in keys] == [b"a", b"b", b"a", b"b", b"a", b"a", b"a", b"a"]
    assert [key[8:] for key in keys if key.startswith(b"a")] == [
        *(b"fresh0", b"fresh1"),
        *(b"returning0", b"returning1", b"returning2", b"returning3"),
    ]


def test_while_urgent_queues_are_ready_every_ninth_record_is_from_another():
    key_queues = KeyQueues(turn_of=turn_by_key)
    for number in range(20):
        key_queues.add(record(b"a-other-%d" % number, number), 0.0)
    for number in range(20):
        key_queues.add(record(b"b-urgent-%d" % number, number), 0.0)
    kinds = [key.startswith(b"a") for key in taken(key_queues, 40)]
    assert [at for at, is_other in enumerate(kinds) if is_other] == [8, 17, *range(22, 40)]


def test_a_record_that_passes_gives_its_queue_its_own_turn():
    key_queues = KeyQueues(passing_by_value, turn_by_value)
    for number in range(5):
        key_queues.add(Record(0, number, b"key%d" % number, b"greedy", (), 0.0), 0.0)
    key_queues.add(Record(0, 5, b"key4", b"passes", (), 0.0), 0.0)
    first = key_queues.next_ready(0.0)
    assert (first.key, first.records[0].offset) == (b"key4", 5)
    key_queues.finish(first, timer_at=None, now=0.0)
    assert taken(key_queues, 5) == [b"key%d" % number for number in range(5)]
    assert key_queues.next_ready(0.0) is None


def passing_by_value(record):
    return {b"passes": Passing.ENDS_WAIT, b"reads": Passing.KEEPS_WAIT}.get(record.value, Passing.NO)


def turn_by_value(record):
    return Turn(record.value.decode(), is_urgent=record.value in {b"passes", b"a person"})


def add(key_queues, offset, key, value):
    key_queues.add(Record(0, offset, key, value, (), 0.0), 0.0)


@pytest.mark.parametrize("first", ["ready", "running", "waiting"])
def test_a_queue_takes_the_place_of_its_urgent_record_behind_another(first):
    key_queues = KeyQueues(turn_of=turn_by_value)
    add(key_queues, 0, b"mixed", b"greedy")
    if first != "ready":
        queue = key_queues.next_ready(0.0)
        if first == "waiting":
            key_queues.retry(queue, 1.0, WaitReason.BACKOFF, 0.0)
    for number in range(1, 5):
        add(key_queues, number, b"key%d" % number, b"greedy")
    add(key_queues, 5, b"mixed", b"a person")
    if first == "running":
        key_queues.retry(queue, 1.0, WaitReason.BACKOFF, 0.0)
    queue = key_queues.next_ready(1.0)
    assert (queue.records[0].offset, queue.turn) == (0, Turn("a person", is_urgent=True))
    key_queues.finish(queue, timer_at=None, now=1.0)
    queue = key_queues.next_ready(1.0)
    assert queue.records[0].offset == 5
    add(key_queues, 6, b"mixed", b"greedy")
    key_queues.finish(queue, timer_at=None, now=1.0)
    offsets = [key_queues.next_ready(1.0).records[0].offset for _ in range(5)]
    assert offsets == [1, 2, 3, 4, 6], "the urgent record has ended"


def test_a_queue_with_two_urgent_records_has_the_turn_of_the_first():
    key_queues = KeyQueues(turn_of=turn_by_value)
    for offset, value in enumerate((b"greedy", b"a person", b"passes")):
        add(key_queues, offset, b"mixed", value)
    queue = key_queues.next_ready(0.0)
    key_queues.finish(queue, timer_at=None, now=0.0)
    assert key_queues.next_ready(0.0).turn.source == "a person"


def test_a_record_that_passes_resets_the_tries_of_a_waiting_queue():
    key_queues = KeyQueues(passing_by_value, turn_by_value)
    add(key_queues, 0, b"a", b"greedy")
    queue = key_queues.next_ready(0.0)
    key_queues.retry(queue, 60.0, WaitReason.BACKOFF, 0.0)
    assert queue.tries == 1
    add(key_queues, 1, b"a", b"passes")
    assert key_queues.next_ready(0.0) is queue
    assert (queue.tries, queue.failures, queue.records[0].offset) == (0, 0, 1)


@pytest.mark.parametrize("seconds", [0.0, 59.0, 60.0])
def test_a_record_that_keeps_the_wait_runs_at_once_and_wakes_nothing(seconds):
    key_queues = KeyQueues(passing_by_value, turn_by_value)
    add(key_queues, 0, b"a", b"greedy")
    queue = key_queues.next_ready(0.0)
    key_queues.retry(queue, 60.0, WaitReason.BACKOFF, 0.0)
    for number in range(1, 101):
        add(key_queues, number, b"a", b"reads")
        assert key_queues.next_ready(seconds).records[0].offset == number
        key_queues.finish(queue, timer_at=None, now=seconds)
        if seconds < 60.0:
            assert (queue.tries, queue.waits_for, queue.wait_until) == (1, WaitReason.BACKOFF, 60.0)
    assert key_queues.next_ready(59.9) is (None if seconds < 60.0 else queue)
    assert seconds == 60.0 or key_queues.next_ready(60.0) is queue
    assert (queue.records[0].offset, queue.tries, len(key_queues._waiting)) == (0, 1, 0)


# The bounds that the decision states, in places: of an urgent record, and of another.
URGENT, OTHER = re.findall(
    r"at most ([^,.]+) · S", (Path(__file__).parents[4] / "docs/decisions/0022-turns.md").read_text()
)
PYTHON = str.maketrans({"·": "*", "−": "-", "/": "//", "⌊": "(", "⌋": ")"})


def places(formula, senders):
    return eval(formula.translate(PYTHON), {"N": senders})


SENDERS = 12
ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.25, 4.0]),  # after the arrival before; sums of quarters are exact
        st.integers(0, SENDERS - 1),
        st.booleans(),
        st.sampled_from([None, None, 0.0, 0.5, 6.0]),  # waits for Collate once, for this long
    ),
    max_size=150,
)


@given(ARRIVALS, st.integers(1, SENDERS))
@settings(max_examples=max(100, EXAMPLES), deadline=None)
def test_the_next_ready_command_of_a_sender_starts_within_a_place_of_each_sender_of_its_class(arrivals, senders):
    """One slot, service time 1, a key for each command. Waits for Collate are not counted (decision 0022)."""
    key_queues, now, at = KeyQueues(turn_of=turn_by_key), 0.0, 0.0
    waits, ready = {}, {}  # by key: its wait for Collate; by turn: the keys and since when they are ready
    coming = []
    for number, (gap, sender, is_urgent, wait) in enumerate(arrivals):
        at += gap
        key = b"%d-%s-%d" % (sender % senders, b"urgent" if is_urgent else b"other", number)
        waits[key] = wait
        coming.append((at, key))
    last_place, returning = {}, []
    while coming or returning or len(key_queues):
        for since, key in sorted([*returning, *coming]):
            if since <= now:
                ready.setdefault(turn_by_key(record(key, 0)), {})[key] = since
        while coming and coming[0][0] <= now:
            since, key = coming.pop(0)
            key_queues.add(record(key, 0), since)
        returning = [(since, key) for since, key in returning if since > now]
        queue = key_queues.next_ready(now)
        if queue is None:
            now = min(since for since, _ in [*coming, *returning])
            continue
        turn = turn_by_key(queue.records[0])
        waited = now - max(min(ready[turn].values()), last_place.get(turn, 0.0))
        assert waited <= places(URGENT if turn.is_urgent else OTHER, senders)
        del ready[turn][queue.key]
        last_place[turn] = now
        now += 1.0
        if (wait := waits.pop(queue.key)) is None:
            key_queues.finish(queue, timer_at=None, now=now)
        else:
            waits[queue.key] = None
            key_queues.retry(queue, now + wait, WaitReason.BUDGET, now)
            returning.append((now + wait, queue.key))


@pytest.mark.parametrize("senders", range(1, SENDERS + 1))
def test_with_a_backlog_of_every_sender_the_longest_wait_of_an_urgent_record_is_the_bound(senders):
    key_queues = KeyQueues(turn_of=turn_by_key)
    for number in range(80 * senders):
        for kind in (b"urgent", b"other"):
            key_queues.add(record(b"%d-%s-%d" % (number % senders, kind, number), 0), 0.0)
    places_of = {}
    for place in range(50 * senders):
        turn = key_queues.next_ready(0.0).turn
        places_of.setdefault(turn, []).append(place)
    longest = {turn: max(b - a for a, b in pairwise(found)) for turn, found in places_of.items()}
    assert {wait for turn, wait in longest.items() if turn.is_urgent} == {places(URGENT, senders)}
    assert {wait for turn, wait in longest.items() if not turn.is_urgent} == {9 * senders}
    assert 9 * senders < places(OTHER, senders)


def test_a_record_goes_before_a_timer_that_is_ready():
    key_queues = KeyQueues()
    key_queues.set_timer(b"k", 5.0)
    key_queues.set_timer(b"other", 5.0)
    first = key_queues.next_ready(6.0)
    second = b"other" if first.key == b"k" else b"k"
    key_queues.add(record(second, 0), 6.0)
    queue = key_queues.next_ready(6.0)
    assert (queue.key, len(queue.records), queue.since) == (second, 1, 6.0)


def test_timers_get_every_ninth_turn_as_long_as_there_are_records():
    key_queues = KeyQueues()
    for number in range(3):
        key_queues.set_timer(b"timer-%d" % number, 1.0)
    for number in range(20):
        key_queues.add(record(b"record-%d" % number, number), 0.0)
    for_timers = [key_queues.next_ready(2.0).key.startswith(b"timer") for _ in range(23)]
    assert [at for at, is_for_timer in enumerate(for_timers) if is_for_timer] == [8, 17, 22]


def test_in_a_process_that_is_late_timers_wait_while_records_run_but_for_every_ninth_turn():
    key_queues = KeyQueues()
    for number in range(3):
        key_queues.set_timer(b"timer-%d" % number, 1.0)
    taken = []
    for number in range(20):
        key_queues.add(record(b"record-%d" % number, number), 0.0)
        while (queue := key_queues.next_ready(2.0, is_late=True)) is not None:
            taken.append(queue)
    assert [at for at, queue in enumerate(taken) if not queue.records] == [8, 17]
    assert key_queues.next_due() <= 2.0
    for queue in taken:
        if queue.records:
            key_queues.retry(queue, 9.0, WaitReason.BACKOFF, 0.0)
    assert not key_queues.next_ready(2.0, is_late=True).records, "waiting records delay no timer"


def test_a_queue_that_got_a_record_before_its_timer_ran_does_not_run_twice():
    key_queues = KeyQueues()
    key_queues.set_timer(b"k", 1.0)
    key_queues.set_timer(b"other", 1.0)
    key_queues.next_ready(2.0)  # both are awake now, one runs
    idle = next(queue for queue in key_queues if not queue.is_running)
    key_queues.add(record(idle.key, 0), 2.0)
    queue = key_queues.next_ready(2.0)
    assert queue is idle
    key_queues.finish(queue, timer_at=None, now=2.0)
    assert key_queues.next_ready(2.0) is None


def test_a_timer_that_expired_behind_a_running_record_survives_a_clock_set_back():
    key_queues = KeyQueues()
    key_queues.set_timer(b"k", 10.0)
    key_queues.add(record(b"k", 0), 9.0)
    queue = key_queues.next_ready(11.0)
    key_queues.finish(queue, timer_at=10.0, now=8.0)
    assert key_queues.next_due() == 10.0


def test_far_timers_are_due_from_the_span_of_the_earliest_one():
    key_queues = KeyQueues()
    for key, at in ((b"a", 3 * FAR), (b"b", FAR), (b"c", 2 * FAR)):
        key_queues.set_timer(key, at)
    assert FAR - 64 < key_queues.next_due() <= FAR


def test_replaced_timers_do_not_pile_up():
    timers = Timers()
    for round_number in range(200):
        for number in range(20):
            timers.set(b"%d" % number, FAR - round_number)
        assert timers.entries <= 2 * 20 + 65
    assert list(timers.due(FAR - 199.5)) == []
    assert timers.next_due() == FAR - 199


def test_a_timer_that_is_set_to_the_same_time_takes_one_entry():
    timers = Timers()
    for _ in range(10):
        timers.set(b"k", FAR)
    assert timers.entries == 1


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from([None, 1.0, 20.0, 70.0])), min_size=150, max_size=300))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_entries_of_replaced_removed_and_expired_timers_are_bounded(changes):
    timers, now = Timers(), 0.0
    for key, after in changes:
        now += 0.5
        for due in list(timers.due(now)):
            timers.expire(due)
        timers.set(key, None if after is None else now + after)
        assert timers.entries <= 2 * len(KEYS) + 65


def test_far_timers_take_a_few_bytes_each():
    timers = Timers()
    keys = [number.to_bytes(4, "big") for number in range(50_000)]
    times = [FAR + number / 10 for number in range(50_000)]
    tracemalloc.start()
    for key, at in zip(keys, times, strict=True):
        timers.set(key, at)
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert allocated / len(keys) < 80


def test_fifty_thousand_timers_are_not_scanned_to_find_the_next():
    class CountingDict(dict):
        reads = 0

        def get(self, key, default=None):
            self.reads += 1
            return super().get(key, default)

        def __iter__(self):
            raise AssertionError("the timers were scanned")

    key_queues = KeyQueues()
    for number in range(50_000):
        key_queues.set_timer(number.to_bytes(4, "big"), FAR + number)
    key_queues._timers._at = timers = CountingDict(key_queues._timers._at)
    for _ in range(100):
        assert key_queues.next_ready(FAR - 1) is None
        assert key_queues.next_due() == FAR, "only the timers of its minute are sorted"
    queue = key_queues.next_ready(FAR)
    key_queues.finish(queue, timer_at=FAR * 9, now=FAR)
    assert key_queues.next_due() == FAR + 1
    assert timers.reads < 500
