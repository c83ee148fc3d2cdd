import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.authorization import recent_commands
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.state import (
    NEW,
    AuthorizationState,
    Grant,
    Handoff,
    Known,
    OpenDeadLetter,
    Waiting,
    WatchStatus,
)
from consumers.watcher.cadence import Cadence, CadenceStep, PollClass, delete_at, poll_class_of
from runtime.settings import WatchSettings

NOW = 1_800_000_000.0
DAY = 86_400.0
CADENCE = Cadence.of(WatchSettings())
ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"


def half():
    return 0.5


def watched(status="requires_action", age=0.0, **more):
    watch = WatchStatus(since=NOW - age, until=NOW + 90 * DAY, moved_at=NOW - age, failures=more.pop("failures", 0))
    return AuthorizationState(sequence=3, known=Known(version=1, status=status), watch=watch, **more)


def handoff(state="active", **more):
    return Handoff(id="mh", state=state, seen_at=NOW, open_version=1, **more)


@pytest.mark.parametrize(
    ("state", "poll_class"),
    [
        (watched(active=handoff(access_available=True)), PollClass.OPEN),
        (watched(active=handoff()), PollClass.ACCESS),
        (watched(active=handoff("offered")), PollClass.ACCESS),
        (watched(active=handoff("closing")), PollClass.ENDED),
        (watched("processing", last=handoff("closed")), PollClass.ENDED),
        (watched("processing", last=handoff("closed", agreement="agrees")), PollClass.PROCESSING),
        (watched("processing"), PollClass.PROCESSING),
        (watched("requires_action"), PollClass.ACTION),
        (watched("waiting_on_payer"), PollClass.PAYER),
        (watched("new_word"), PollClass.ACTION),
        (NEW, PollClass.ACTION),
    ],
)
def test_the_poll_class_of_each_state(state, poll_class):
    assert poll_class_of(state) is poll_class


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (watched(active=handoff()), 5),
        (watched(active=handoff(), age=900), 15),
        (watched(active=handoff(), age=4_000), 60),
        (watched(active=handoff(access_available=True)), 20),
        (watched(active=handoff(access_available=True), age=900), 20),
        (watched(active=handoff(access_available=True), age=4_000), 60),
        (watched("processing", last=handoff("closed")), 2),
        (watched("processing", last=handoff("closed"), age=90), 5),
        (watched("processing", age=7 * DAY), 900),
        (watched("waiting_on_payer"), 60),
        (watched("waiting_on_payer", age=7 * DAY), 3600),
    ],
)
def test_the_steps_of_the_table(state, seconds):
    assert CADENCE.next_timer(state, NOW, half) == NOW + seconds


@given(
    st.floats(0, 0.999), st.sampled_from(["processing", "requires_action", "waiting_on_payer"]), st.floats(0, 80 * DAY)
)
def test_each_step_is_jittered_by_a_tenth_at_most(chance, status, age):
    state = watched(status, age=age)
    every = CADENCE.every(state, NOW)
    assert 0.9 * every <= CADENCE.next_timer(state, NOW, lambda: chance) - NOW <= 1.1 * every


def test_failures_lengthen_the_step_up_to_a_minute_or_its_own_length():
    assert CADENCE.next_timer(watched(active=handoff(), failures=2), NOW, half) == NOW + 20
    assert CADENCE.next_timer(watched(active=handoff(), failures=8), NOW, half) == NOW + 60
    assert CADENCE.next_timer(watched("waiting_on_payer", age=7 * DAY, failures=8), NOW, half) == NOW + 3600


def test_no_timer_is_later_than_the_end_of_the_watch():
    state = watched("waiting_on_payer", age=7 * DAY)
    state = state.replace(watch=state.watch.replace(until=NOW + 10))
    assert CADENCE.next_timer(state, NOW, half) == NOW + 10


def test_the_timer_of_a_settled_authorization_deletes_its_state():
    state = watched("completed", settled_at=NOW)
    assert CADENCE.next_timer(state, NOW, half) == NOW + 90 * DAY
    assert CADENCE.next_timer(NEW, NOW, half) is None
    packed = recent_commands.add("", ID, b"dddd", CommandEnd.FINISHED, NOW, until=NOW)
    assert CADENCE.next_timer(AuthorizationState(recent_commands=packed), NOW, half) == NOW + DAY + 60
    dead = {ID: OpenDeadLetter(at=NOW, command="t", caller="c")}
    assert CADENCE.next_timer(AuthorizationState(dead_letters=dead), NOW, half) == NOW + 30 * DAY


def test_a_settled_authorization_with_an_open_handoff_is_still_watched():
    state = watched("completed", settled_at=NOW, active=handoff())
    assert CADENCE.next_timer(state, NOW, half) == NOW + 5


def test_the_table_comes_from_the_settings():
    quick = Cadence(
        steps={poll_class: (CadenceStep(1.0),) for poll_class in PollClass}, jitter=0.0, forget_after_seconds=DAY
    )
    assert quick.next_timer(watched(), NOW, half) == NOW + 1


KEPT = NOW + 91 * DAY + 60


@pytest.mark.parametrize(
    ("more", "ends_at"),
    [
        ({}, NOW + DAY + 60),
        ({"last_event_at": NOW + 500.0}, NOW + DAY + 500),  # such as that of a key conflict, which leaves no id
        ({"known": Known(version=1, status="processing"), "settled_at": NOW}, KEPT),
        ({"content_read_at": NOW}, KEPT),
        ({"early_grant": Grant(handoff_id="mh", until=NOW)}, KEPT),
        ({"watch": WatchStatus(since=NOW, until=NOW, moved_at=NOW, ended=True)}, KEPT),
        ({"dead_letters": {ID: OpenDeadLetter(at=NOW, command="t", caller="c")}}, NOW + 30 * DAY),
        (
            {"waiting": Waiting(command_id=ID, reason="backoff", until=NOW + DAY, emitted_at=NOW)},
            NOW + 2 * DAY,
        ),
    ],
)
def test_only_the_state_of_an_unknown_authorization_ends_a_day_after_its_last_command(more, ends_at):
    packed = recent_commands.add("", ID, b"dddd", CommandEnd.FINISHED, NOW, until=NOW)
    assert delete_at(AuthorizationState(sequence=1, recent_commands=packed, **more), 90 * DAY) == ends_at
