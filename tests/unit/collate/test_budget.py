from collections import Counter
from itertools import cycle, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.collate.call_policy.breaker import BreakerState
from adapters.collate.call_policy.budget import Bounds, Budget, Ticket, WaitingCall
from adapters.collate.call_policy.calls import Call, CallSignal, Hold, Priority
from schemas.events.wait_reasons import HoldReason

LIVE, URGENT, COMMAND, OBSERVATION, IDLE = Priority


def make(per_second=1e6, concurrency=64, live_share=0.25, failures=3):
    return Budget(Bounds(per_second, concurrency, live_share, failures, 5.0, 30.0), 0.0, lambda: 0.5)


def call(subject="a", *, priority=COMMAND, writes=True):
    return Call(priority, writes, subject)


def go(budget, now, what, subject="a", *, writes=True, retry_after=None):
    """Make one call that must be let go, and end it."""
    ticket = budget.acquire(now, call(subject, writes=writes))
    assert isinstance(ticket, Ticket), ticket
    budget.release(now, ticket, what, 0.01, retry_after)


def reason(budget, now, subject="a", **which):
    answer = budget.acquire(now, call(subject, **which))
    if isinstance(answer, Ticket):
        budget.abandon(answer)
        return None
    return answer.reason


def fill(budget, now, priority, subject="s"):
    """Take every slot and token there is for that priority."""
    tickets = []
    while isinstance(answer := budget.acquire(now, call(subject, priority=priority)), Ticket):
        tickets.append(answer)
    return tickets


# Credentials


def test_a_401_defers_all_calls_until_a_probe_succeeds():
    budget = make()
    go(budget, 0.0, CallSignal.KEY_REFUSED)
    for writes in (True, False):
        for priority in Priority:
            held = budget.acquire(0.1, call("b", priority=priority, writes=writes))
            assert isinstance(held, Hold)
            assert held.reason is HoldReason.CREDENTIALS
            assert 5.0 <= held.until <= 6.5
    probe = budget.acquire(6.5, call("b"))
    assert isinstance(probe, Ticket)
    assert reason(budget, 6.5, "c") is HoldReason.CREDENTIALS
    budget.release(6.6, probe, CallSignal.ANSWERED, 0.1)
    assert reason(budget, 7.0, "c") is None


def test_a_new_key_is_tried_immediately():
    budget = make()
    go(budget, 0.0, CallSignal.KEY_REFUSED)
    budget.breakers.key_changed(0.5)
    go(budget, 0.5, CallSignal.ANSWERED)
    assert reason(budget, 0.5) is None


def test_a_probe_during_an_outage_shows_nothing_about_the_key():
    budget = make()
    go(budget, 0.0, CallSignal.KEY_REFUSED)
    go(budget, 6.0, CallSignal.FAILED)
    assert reason(budget, 6.1) is HoldReason.CREDENTIALS


def test_403s_defer_calls_only_after_a_second_authorization_gets_one():
    budget = make()
    go(budget, 0.0, CallSignal.FORBIDDEN, "a")
    go(budget, 0.0, CallSignal.FORBIDDEN, "a")
    assert reason(budget, 0.0, "b") is None
    go(budget, 0.0, CallSignal.FORBIDDEN, "b")
    assert reason(budget, 0.0, "c") is HoldReason.FORBIDDEN
    assert reason(budget, 0.0, "c", writes=False) is None, "we may still read"


def test_a_403_concerns_one_authorization_if_collate_accepted_another_lately():
    budget = make()
    go(budget, 0.0, CallSignal.ANSWERED, "b")
    go(budget, 1.0, CallSignal.FORBIDDEN, "a")
    assert not budget.breakers.suspends(1.0, call("a"))


def test_a_first_403_is_in_doubt_for_half_a_minute():
    budget = make()
    go(budget, 0.0, CallSignal.FORBIDDEN, "a")
    assert budget.breakers.suspends(0.0, call("a"))
    go(budget, 29.0, CallSignal.FORBIDDEN, "a")
    assert budget.breakers.suspends(29.0, call("a"))
    go(budget, 31.0, CallSignal.FORBIDDEN, "a")
    assert not budget.breakers.suspends(31.0, call("a"))


def test_a_successful_read_shows_nothing_about_writes():
    budget = make()
    go(budget, 0.0, CallSignal.ANSWERED, "b", writes=False)
    go(budget, 1.0, CallSignal.FORBIDDEN, "a")
    assert budget.breakers.suspends(1.0, call("a"))


# Faults and limits


@pytest.mark.parametrize("signal", [CallSignal.FAILED, CallSignal.LIMITED])
@pytest.mark.parametrize("asks", [None, 60.0, 3_600.0])
def test_one_authorization_that_always_fails_slows_and_stops_no_other(signal, asks):
    budget = make()
    for now in range(0, 6_000, 60):
        go(budget, float(now), signal, "a", retry_after=asks)
    assert reason(budget, 5_941.0, "b") is None
    assert budget.throttle.share(5_941.0) == 1.0


def test_failures_of_different_authorizations_in_a_row_open_the_breaker_for_that_kind_of_call():
    budget = make()
    for subject in "abc":
        go(budget, 0.0, CallSignal.FAILED, subject)
    assert reason(budget, 0.0, "d") is HoldReason.BREAKER
    assert reason(budget, 0.0, "d", writes=False) is None


def test_refusals_count_as_successes_for_the_fault_breaker():
    budget = make()
    for subject in "abc":
        go(budget, 0.0, CallSignal.FAILED, subject)
    for now in (10.0, 10.1, 10.2):
        go(budget, now, CallSignal.FORBIDDEN, "a")
    assert budget.breakers.faults[True].state is BreakerState.CLOSED


def test_after_an_outage_calls_ramp_up_from_one_at_a_time():
    budget = make(per_second=200.0)
    for subject in "abc":
        go(budget, 0.0, CallSignal.FAILED, subject)
    for now in (10.0, 10.1, 10.2):
        go(budget, now, CallSignal.ANSWERED)
    assert budget.throttle.limit(10.2) == 3
    assert budget.throttle.per_second(10.2) == pytest.approx(10.0, abs=1)


def test_429s_of_two_authorizations_in_a_row_slow_all_calls_down():
    budget = make()
    go(budget, 0.0, CallSignal.LIMITED, "a")
    go(budget, 0.0, CallSignal.LIMITED, "b")
    assert budget.throttle.share(0.0) == pytest.approx(0.7)
    assert budget.throttle.limit(0.0) == int(0.7 * 64)
    assert reason(budget, 0.0, "c") is None


def test_429s_of_three_authorizations_in_a_row_defer_all_calls_as_long_as_collate_asks():
    for asked, waited in ((None, 1.0), (20.0, 20.0), (3_600.0, 60.0)):
        budget = make()
        for subject in "abc":
            go(budget, 0.0, CallSignal.LIMITED, subject, retry_after=asked)
        assert reason(budget, waited - 0.1) is HoldReason.RATE_LIMITED
        assert reason(budget, waited) is None


def test_503s_of_three_authorizations_in_a_row_defer_all_calls_as_long_as_collate_asks():
    budget = make(failures=5)
    for number in range(3):
        go(budget, 0.0, CallSignal.FAILED, f"a{number}", retry_after=30.0)
    for priority in Priority:
        for writes in (True, False):
            assert reason(budget, 29.9, "b", priority=priority, writes=writes) is HoldReason.RATE_LIMITED


def test_a_503_without_a_time_defers_calls_only_as_a_fault():
    budget = make(failures=5)
    for number in range(4):
        go(budget, 0.0, CallSignal.FAILED, f"a{number}")
    assert reason(budget, 0.1) is None
    go(budget, 0.1, CallSignal.FAILED, "a4")
    assert reason(budget, 0.2) is HoldReason.BREAKER


@pytest.mark.parametrize("signal", [CallSignal.FAILED, CallSignal.LIMITED])
def test_every_call_for_an_authorization_waits_as_long_as_collate_asks(signal):
    budget = make()
    go(budget, 0.0, signal, "a", writes=False, retry_after=20.0)
    for priority in Priority:
        for writes in (True, False):
            assert reason(budget, 19.9, "a", priority=priority, writes=writes) is HoldReason.RATE_LIMITED
    assert reason(budget, 19.9, "b") is None
    assert reason(budget, 20.0, "a") is None


def test_the_waits_of_many_authorizations_are_bounded():
    budget = make(failures=10_000)
    for number in range(5_000):
        go(budget, number / 1e3, CallSignal.FAILED, str(number), retry_after=60.0)
        go(budget, number / 1e3, CallSignal.ANSWERED, "healthy")
    assert reason(budget, 5.0, str(5_000 - 4_096)) is HoldReason.RATE_LIMITED
    assert reason(budget, 5.0, str(5_000 - 4_097)) is None, "the oldest waits are forgotten"


# Sharing


def test_live_calls_have_budget_when_commands_use_all_of_theirs():
    budget = make(concurrency=16)
    assert isinstance(budget.acquire(0.0, call(priority=LIVE)), Ticket)
    commands = fill(budget, 0.0, COMMAND)
    assert len(commands) == 16 - 4 - 1
    assert len(fill(budget, 0.0, LIVE)) == 4


def test_without_live_calls_nothing_is_reserved_for_them():
    budget = make(concurrency=16)
    assert len(fill(budget, 100.0, COMMAND)) == 16


def test_observations_leave_budget_to_commands():
    budget = make(concurrency=16)
    assert len(fill(budget, 100.0, OBSERVATION)) == 12
    assert len(fill(budget, 100.0, COMMAND)) == 4


def test_commands_that_saturate_the_rate_leave_every_tenth_call_to_an_observation():
    budget = make(per_second=100.0)
    now, served = 0.0, Counter()
    for priority in cycle((OBSERVATION, COMMAND, COMMAND, COMMAND)):
        now += 0.001
        ticket = budget.acquire(now, call(priority=priority))
        if isinstance(ticket, Ticket):
            served[priority] += 1
            budget.release(now, ticket, CallSignal.ANSWERED, 0.005)
        if now > 30:
            break
    assert served[OBSERVATION] == pytest.approx(served[COMMAND] / 9, rel=0.2)


@pytest.mark.parametrize(
    ("other", "frequent", "turns_of_other"), [(OBSERVATION, COMMAND, [8, 18]), (COMMAND, URGENT, [8, 17])]
)
def test_waiting_calls_leave_every_tenth_turn_to_an_observation_and_every_ninth_to_another_command(
    other, frequent, turns_of_other
):
    budget = make(concurrency=1)
    ticket, turns = budget.acquire(100.0, call()), []
    for priority, count in ((other, 3), (frequent, 30)):
        for _ in range(count):
            assert isinstance(budget.ask(100.0, Call(priority, False, "a", "caller")), WaitingCall)
    while len(turns) < 20:
        budget.release(100.0, ticket, CallSignal.ANSWERED, 0.01)
        ((waiting, ticket),) = budget.serve(100.0)
        turns.append(waiting.call.priority)
    assert [number for number, priority in enumerate(turns) if priority is other] == turns_of_other


def test_waiting_observations_of_open_handoffs_leave_every_ninth_turn_to_an_idle_authorization():
    budget = make(concurrency=1)
    ticket, turns = budget.acquire(100.0, call()), []
    while len(turns) < 20:
        for priority in (IDLE, OBSERVATION):
            budget.ask(100.0, Call(priority, False, "a"))
        budget.release(100.0, ticket, CallSignal.ANSWERED, 0.001)
        ((waiting, ticket),) = budget.serve(100.0)
        turns.append(waiting.call.priority)
    assert [number for number, priority in enumerate(turns) if priority is IDLE] == [8, 17]


def test_no_call_waits_longer_because_calls_ahead_of_it_still_wait():
    budget = make(concurrency=1)
    budget.acquire(100.0, call())
    command, observation = (budget.ask(100.0, call(priority=priority)) for priority in (COMMAND, OBSERVATION))
    assert list(budget.serve(100.0)) == []
    assert budget.wake_at == observation.until < command.until
    ((waiting, answer),) = budget.serve(observation.until)
    assert (waiting, answer.reason) == (observation, HoldReason.BUDGET)


def test_a_waiting_call_keeps_its_place_when_others_are_deferred():
    budget = make(per_second=10.0)
    fill(budget, 0.0, COMMAND)
    first = budget.ask(0.0, call("first"))
    assert deferred(budget, 1_000)
    assert next(iter(budget.serve(0.2)))[0] is first


def test_one_slot_serves_all_priorities():
    for priority in Priority:
        budget = make(concurrency=1)
        budget.acquire(0.0, call(priority=LIVE))
        budget.in_flight[LIVE] = 0
        assert isinstance(budget.acquire(0.0, call(priority=priority)), Ticket)


def deferred(budget, calls):
    """Ask for more calls than may wait; return when the others may be retried."""
    answers = [budget.ask(0.0, call(str(number))) for number in range(calls)]
    return [answer.until for answer in answers if isinstance(answer, Hold)]


def test_deferred_calls_return_one_after_the_other():
    budget = make(per_second=10.0)
    fill(budget, 0.0, COMMAND)
    times = deferred(budget, 90)
    assert len(times) == 40, "five seconds of calls wait"
    assert [round(b - a, 6) for a, b in pairwise(times)] == [0.1] * (len(times) - 1)


def test_a_full_budget_defers_no_call_for_more_than_ten_seconds():
    budget = make(per_second=10.0)
    fill(budget, 0.0, COMMAND)
    times = deferred(budget, 1_000)
    assert max(times) <= 10.0
    assert len({round(when, 3) for when in times}) > 50


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2),
            st.sampled_from(Priority),
            st.booleans(),
            st.sampled_from("abcdef"),
            st.sampled_from(["", "one", "two"]),
            st.sampled_from([*CallSignal, None]),
            st.floats(0, 20),
            st.one_of(st.none(), st.floats(0, 5_000)),
        ),
        max_size=150,
    )
)
def test_calls_in_flight_are_counted_correctly_and_every_deferral_ends(steps):
    budget = make(per_second=50.0, concurrency=8)
    now, out = 0.0, []
    for gone, priority, writes, subject, caller, what, seconds, retry_after in steps:
        now += gone
        answer = budget.ask(now, Call(priority, writes, subject, caller))
        if isinstance(answer, Ticket):
            out.append(answer)
        else:
            assert now < answer.until <= now + 60.0 * 1.25 + 1
        out.extend(served for _, served in budget.serve(now) if isinstance(served, Ticket))
        if out and (what is None or len(out) > 3):
            budget.abandon(out.pop(0))
        elif out:
            budget.release(now, out.pop(), what, seconds, retry_after)
        assert sum(budget.in_flight.values()) == len(out)
        assert len(out) <= 8
    for ticket in out:
        budget.abandon(ticket)
    for _, served in budget.serve(now + 10.0):
        if isinstance(served, Ticket):
            budget.abandon(served)
    assert not any(map(budget.waiting, Priority)), "no call waits for longer than the longest wait"
    # Left alone and with a Collate that answers, everything is let go again.
    for _ in range(40):
        now += 100.0
        for writes in (True, False):
            ticket = budget.acquire(now, Call(COMMAND, writes, "z"))
            assert isinstance(ticket, Ticket)
            budget.release(now, ticket, CallSignal.ANSWERED, 0.01)
    assert all(breaker.state is BreakerState.CLOSED for breaker in budget.breakers.all)


# Answers in an unknown shape


def test_unreadable_answers_of_many_authorizations_open_no_breaker():
    budget = make(failures=3)
    for number in range(20):
        go(budget, number, CallSignal.UNREADABLE, f"a{number}", writes=False)
    assert (budget.breakers.trouble, reason(budget, 20, "b", writes=False)) == (None, None)


def test_an_unreadable_answer_does_not_hide_failures_of_others():
    budget = make(failures=3)
    for number in range(3):
        go(budget, number, CallSignal.FAILED, f"a{number}", writes=False)
        if number < 2:
            go(budget, number, CallSignal.UNREADABLE, f"b{number}", writes=False)
    assert reason(budget, 3, "c", writes=False) is HoldReason.BREAKER
