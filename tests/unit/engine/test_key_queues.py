import os
import tracemalloc

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumers.authorization.wait_reasons import WaitReason
from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.timers import Timers
from consumers.engine.interface import Record

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "20"))  # more when something in here has changed
KEYS = [b"a", b"b", b"c", b"d"]
FAR = 10_000.0


def record(key, offset):
    return Record(0, offset, key, b"", (), 0.0)


class LanesAgainstAModel(RuleBasedStateMachine):
    """The model: a queue of offsets per key, what runs, until when it waits, and the alarms that stand."""

    def __init__(self):
        super().__init__()
        self.lanes = KeyQueues()
        self.now = 100.0
        self.offset = 0
        self.queued = {key: [] for key in KEYS}
        self.running = {}
        self.waiting = {}
        self.alarms = {}

    @initialize(alarms=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([50.0, 100.0, 101.0, 400.0])))
    def begin_with_alarms_that_were_remembered(self, alarms):
        for key, at in alarms.items():
            self.lanes.set_alarm(key, at)
        self.alarms = dict(alarms)

    @rule(key=st.sampled_from(KEYS))
    def add(self, key):
        self.queued[key].append(self.offset)
        self.lanes.add(record(key, self.offset), self.now)
        self.offset += 1

    @precondition(lambda self: any(was_alarm for _, was_alarm in self.running.values()))
    @rule(data=st.data())
    def add_behind_a_running_alarm(self, data):
        self.add(data.draw(st.sampled_from(sorted(key for key, (_, was_alarm) in self.running.items() if was_alarm))))

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0, 50.0, 400.0]))
    def let_time_pass(self, seconds):
        self.now += seconds

    @rule()
    def set_the_clock_back(self):
        self.now -= 3.0

    @rule(is_late=st.booleans())
    def take_the_next(self, is_late):
        lane = self.lanes.next_ready(self.now, is_late=is_late)
        if lane is None:
            if is_late and any(not was_alarm for _, was_alarm in self.running.values()):
                self.check_that_no_record_could_run()
            else:
                self.check_that_nothing_could_run()
            return
        assert lane.key not in self.running, "a key runs twice at once"
        assert [item.offset for item in lane.records] == self.queued[lane.key], "a key's records were reordered"
        self.waiting.pop(lane.key, None)
        assert lane.is_alarm is not bool(lane.records)
        self.running[lane.key] = (lane, lane.is_alarm)
        if not lane.records:
            assert lane.key in self.alarms, "it runs for nothing"

    @property
    def idle(self):
        return [key for key in KEYS if key not in self.running and key not in self.waiting]

    def check_that_no_record_could_run(self):
        assert not any(self.queued[key] for key in self.idle), "a lane with work was forgotten"
        if any(key in self.alarms and self.alarms[key] <= self.now for key in self.idle):
            assert self.lanes.next_due() <= self.now, "nobody would look again"

    def check_that_nothing_could_run(self):
        idle = self.idle
        assert not any(self.queued[key] for key in idle), "a lane with work was forgotten"
        assert all(self.alarms[key] > self.now for key in idle if key in self.alarms), "an alarm was forgotten"
        assert all(until > self.now for until in self.waiting.values())
        due = self.lanes.next_due()
        expected = [*self.waiting.values(), *(self.alarms[key] for key in idle if key in self.alarms)]
        if expected:
            assert due is not None
            assert due <= min(expected), "it would be looked at too late"

    @precondition(lambda self: self.running)
    @rule(data=st.data(), alarm_in=st.sampled_from([None, None, -1.0, 0.0, 2.0, 20.0, 70.0, 500.0]))
    def finish(self, data, alarm_in):
        lane, was_alarm = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        timer_at = None if alarm_in is None else self.now + alarm_in
        self.lanes.finished(lane, timer_at=timer_at, now=self.now)
        if not was_alarm:
            self.queued[lane.key].pop(0)
        self.alarms.pop(lane.key, None)
        if timer_at is not None:
            self.alarms[lane.key] = timer_at

    @precondition(lambda self: any(not was_alarm for _, was_alarm in self.running.values()))
    @rule(data=st.data(), after=st.sampled_from([0.0, 1.0, 30.0]), reason=st.sampled_from(list(WaitReason)))
    def wait(self, data, after, reason):
        key = data.draw(st.sampled_from(sorted(key for key, (_, was_alarm) in self.running.items() if not was_alarm)))
        lane, _ = self.running.pop(key)
        self.waiting[key] = self.now + after
        self.lanes.again(lane, self.now + after, reason)

    @rule()
    def hurry(self):
        assert self.lanes.hurry() <= len(self.waiting)
        self.waiting.clear()

    @invariant()
    def a_turn_stays_what_it_was_taken_for(self):
        assert all(lane.is_alarm is was_alarm for lane, was_alarm in self.running.values())

    @invariant()
    def it_counts_right(self):
        assert self.lanes.records == sum(len(queue) for queue in self.queued.values())
        assert self.lanes._records_running == sum(not was_alarm for _, was_alarm in self.running.values())
        assert self.lanes.alarms == len(self.alarms)
        assert sum(self.lanes.waits().values()) <= len(self.waiting)
        assert self.lanes._alarms.entries <= 2 * len(self.alarms) + 65

    def teardown(self):
        """Nothing is held for ever: given time, everything runs, in order."""
        for lane, was_alarm in self.running.values():
            if was_alarm:
                self.alarms.pop(lane.key, None)
                self.lanes.finished(lane, timer_at=None, now=self.now)
            else:
                self.lanes.again(lane, self.now, WaitReason.BACKOFF)
        owed = {key for key, at in self.alarms.items() if at is not None}
        while (due := self.lanes.next_due()) is not None or self.lanes.may_have_ready(self.now):
            self.now = max(self.now, due or self.now)
            while (lane := self.lanes.next_ready(self.now)) is not None:
                queue = self.queued[lane.key]
                if lane.records:
                    assert lane.records[0].offset == queue.pop(0)
                    at = self.lanes.alarm_of(lane.key)
                    self.lanes.finished(lane, timer_at=at, now=self.now)
                else:
                    owed.remove(lane.key)
                    self.lanes.finished(lane, timer_at=None, now=self.now)
        assert not any(self.queued.values())
        assert not owed
        assert len(self.lanes) == 0
        assert self.lanes.records == 0


LanesAgainstAModel.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestLanesAgainstAModel = LanesAgainstAModel.TestCase


def test_fresh_and_returning_lanes_are_taken_in_turns():
    lanes = KeyQueues()
    for number in range(3):
        lanes.add(record(b"returning-%d" % number, number), 0.0)
    for _ in range(3):
        lanes.again(lanes.next_ready(0.0), 1.0, WaitReason.BACKOFF)
    for number in range(3):
        lanes.add(record(b"fresh-%d" % number, number), 0.0)
    kinds = [lanes.next_ready(2.0).key.split(b"-")[0] for _ in range(6)]
    assert kinds in ([b"fresh", b"returning"] * 3, [b"returning", b"fresh"] * 3)


def test_a_record_that_comes_while_the_alarm_is_ready_goes_first():
    lanes = KeyQueues()
    lanes.set_alarm(b"k", 5.0)
    lanes.set_alarm(b"other", 5.0)
    first = lanes.next_ready(6.0)
    second = b"other" if first.key == b"k" else b"k"
    lanes.add(record(second, 0), 6.0)
    lane = lanes.next_ready(6.0)
    assert (lane.key, len(lane.records), lane.since) == (second, 1, 6.0)


def test_alarms_get_every_ninth_turn_as_long_as_there_are_records():
    lanes = KeyQueues()
    for number in range(3):
        lanes.set_alarm(b"alarm-%d" % number, 1.0)
    for number in range(20):
        lanes.add(record(b"record-%d" % number, number), 0.0)
    turns = [lanes.next_ready(2.0).key.startswith(b"alarm") for _ in range(23)]
    assert [at for at, is_alarm in enumerate(turns) if is_alarm] == [8, 17, 22]


def test_in_a_process_that_is_late_alarms_wait_while_records_run_but_for_every_ninth_turn():
    lanes = KeyQueues()
    for number in range(3):
        lanes.set_alarm(b"alarm-%d" % number, 1.0)
    taken = []
    for number in range(20):
        lanes.add(record(b"record-%d" % number, number), 0.0)
        while (lane := lanes.next_ready(2.0, is_late=True)) is not None:
            taken.append(lane)
    assert [at for at, lane in enumerate(taken) if not lane.records] == [8, 17]
    assert lanes.next_due() <= 2.0
    for lane in taken:
        if lane.records:
            lanes.again(lane, 9.0, WaitReason.BACKOFF)
    assert not lanes.next_ready(2.0, is_late=True).records, "records that wait keep nobody waiting"


def test_a_lane_that_a_record_took_from_its_alarm_does_not_run_twice():
    lanes = KeyQueues()
    lanes.set_alarm(b"k", 1.0)
    lanes.set_alarm(b"other", 1.0)
    lanes.next_ready(2.0)  # both are awake now, one runs
    idle = next(lane for lane in lanes if not lane.is_running)
    lanes.add(record(idle.key, 0), 2.0)
    lane = lanes.next_ready(2.0)
    assert lane is idle
    lanes.finished(lane, timer_at=None, now=2.0)
    assert lanes.next_ready(2.0) is None


def test_an_alarm_that_came_due_behind_a_busy_lane_is_not_lost_when_the_clock_is_set_back():
    lanes = KeyQueues()
    lanes.set_alarm(b"k", 10.0)
    lanes.add(record(b"k", 0), 9.0)
    lane = lanes.next_ready(11.0)
    lanes.finished(lane, timer_at=10.0, now=8.0)
    assert lanes.next_due() == 10.0


def test_a_waiting_lane_keeps_its_reason_until_it_is_ready():
    lanes = KeyQueues()
    lanes.add(record(b"k", 0), 0.0)
    lanes.again(lanes.next_ready(0.0), 5.0, WaitReason.RATE_LIMITED)
    assert lanes.waits() == {WaitReason.RATE_LIMITED: 1}
    assert lanes.next_ready(4.9) is None
    lane = lanes.next_ready(5.0)
    assert (lane.tries, lanes.waits()) == (1, {})


def test_replaced_alarms_do_not_pile_up():
    lanes = KeyQueues()
    for round_number in range(200):
        for number in range(20):
            lanes.set_alarm(b"%d" % number, FAR - round_number)
    assert lanes._alarms.entries <= 2 * 20 + 65
    assert lanes.next_ready(FAR - 199.5) is None
    assert lanes.next_due() == FAR - 199


def test_far_alarms_take_a_few_bytes_each():
    alarms = Timers()
    keys = [number.to_bytes(4, "big") for number in range(50_000)]
    times = [FAR + number / 10 for number in range(50_000)]
    tracemalloc.start()
    for key, at in zip(keys, times, strict=True):
        alarms.set(key, at)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(keys) < 80


def test_fifty_thousand_alarms_are_not_scanned_to_find_the_next():
    class Looked(dict):
        looks = 0

        def get(self, key, default=None):
            self.looks += 1
            return super().get(key, default)

        def __iter__(self):
            raise AssertionError("the alarms were scanned")

    lanes = KeyQueues()
    for number in range(50_000):
        lanes.set_alarm(number.to_bytes(4, "big"), FAR + number)
    lanes._alarms._at = alarms = Looked(lanes._alarms._at)
    for _ in range(100):
        assert lanes.next_ready(FAR - 1) is None
        assert lanes.next_due() == FAR, "those of its minute are sorted, no others"
    lane = lanes.next_ready(FAR)
    lanes.finished(lane, timer_at=FAR * 9, now=FAR)
    assert lanes.next_due() == FAR + 1
    assert alarms.looks < 500
