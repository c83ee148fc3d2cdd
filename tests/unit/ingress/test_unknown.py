"""The count of each caller's unknown authorizations, by a clock of the test."""

import random

from gateway.ingress.commands.unknown import UnknownCounts
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandFinished

KEPT = 25 * 3_600.0


def ended(caller="intake", told=1):
    return CommandFinished(
        command_id="2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        command=CommandType.HANDOFF_REQUEST,
        caller=caller,
        outcome=Outcome.EXPIRED,
        effect=Effect.NONE,
        unknown_authorizations=told,
    )


def test_a_caller_at_its_bound_may_try_one_command_of_each_ten_minutes():
    counts = UnknownCounts(lambda: 3)
    for number, at in enumerate((1_000.0, 1_100.0, 1_190.0), start=1):
        assert counts.wait("intake", 0, at) == 0.0
        counts.learn(ended(told=number), 0, at)
    assert counts.wait("intake", 0, 1_190.0) == 10.0, "Retry-After is true"
    assert (counts.wait("intake", 1, 1_190.0), counts.wait("billing", 0, 1_190.0)) == (0.0, 0.0)
    assert counts.wait("intake", 0, 1_200.0) == 0.0
    assert counts.wait("intake", 0, 1_200.0) == 600.0, "one"
    tries = [at for at in range(1_201, 50_000) if counts.wait("intake", 0, float(at)) == 0.0]
    assert tries == [*range(1_800, 50_000, 600)]


def test_a_number_leaves_as_late_as_the_worker_may_keep_the_states():
    counts = UnknownCounts(lambda: 3)
    counts.learn(ended(told=3), 0, 1_000.0)
    assert counts.wait("intake", 0, 1_000.0 + KEPT) == 0.0
    assert counts.wait("intake", 0, 1_000.0 + KEPT) > 0, "the first was a try"
    assert [counts.wait("intake", 0, 1_200.0 + KEPT) for _ in range(2)] == [0.0, 0.0]


def test_the_number_falls_with_that_of_the_worker():
    """After an outage Collate shows what expired: each end tells one less, and the first of them follows a try."""
    counts = UnknownCounts(lambda: 349)
    for number in range(1, 350):
        counts.learn(ended("people:jo", told=number), 0, 0.0)
    assert counts.wait("people:kim", 0, 1.0) > 0
    now = 600.0
    for number in range(348, -1, -1):
        assert counts.wait("people:kim", 0, now) == 0.0
        counts.learn(ended("people:kim", told=number), 0, now)
        now += 0.1
    assert counts.wait("people:jo", 0, now) == 0.0, "a person has no more than all people"


def test_the_first_end_tells_a_process_that_has_just_started_what_the_worker_keeps():
    counts = UnknownCounts(lambda: 300)
    counts.learn(ended(told=299), 0, 0.0)
    assert counts.wait("intake", 0, 0.0) == 0.0
    counts.learn(ended(told=300), 0, 0.0)
    assert counts.wait("intake", 0, 0.0) > 0


def test_many_commands_of_one_unknown_authorization_count_as_the_worker_counts_them():
    counts = UnknownCounts(lambda: 3)
    for _ in range(30):
        assert counts.wait("intake", 0, 0.0) == 0.0
        counts.learn(ended(told=1), 0, 0.0)


def test_one_person_has_a_tenth_and_all_people_of_a_prefix_have_the_bound_of_one_caller():
    counts = UnknownCounts(lambda: 30)
    for number in range(1, 4):
        counts.learn(ended("people:jo", number), 0, 0.0)
    assert counts.wait("people:jo", 0, 0.0) > 0
    assert (counts.wait("people:kim", 0, 0.0), counts.wait("people", 0, 0.0)) == (0.0, 0.0)
    counts.learn(ended("people:sam", 30), 0, 0.0)
    assert counts.wait("people:kim", 0, 0.0) > 0
    assert counts.wait("people:kim", 0, 0.0, is_close=True) == 0.0, "no colleague holds up a report"
    assert counts.wait("people:jo", 0, 0.0, is_close=True) > 0, "of its own"
    assert counts.wait("people", 0, 0.0) == 0.0, "a service"


def test_names_are_forgotten_a_day_after_their_last_end():
    counts = UnknownCounts(lambda: 10)
    for number in range(5_000):
        counts.learn(ended(f"people:p{number}"), number % 12, number * 100.0)
    assert len(counts._counts) < 1_000


def test_no_schedule_exceeds_the_bound_by_more_than_what_was_unfinished_at_its_end_and_at_each_restart():
    """Several processes accept, a worker ends and forgets after a day, and any process may restart at any time.

    So do the tries: one of each process in ten minutes.
    """
    chance = random.Random(7)
    bound, places = 40, 5
    processes = [UnknownCounts(lambda: bound) for _ in range(3)]
    unfinished, kept, most, restarts, tries = [0, 0, 0], [], 0, [], []
    for step in range(40_000):
        now = step * 20.0
        kept = [at for at in kept if at + KEPT > now]
        one = chance.randrange(3)
        if chance.random() < 0.001:
            processes[one], unfinished[one] = UnknownCounts(lambda: bound), 0
            restarts.append(now)
        elif chance.random() < 0.5 and unfinished[one] < places and not processes[one].wait("intake", 0, now):
            unfinished[one] += 1
            if processes[one]._number(("intake", 0), now) >= bound:
                tries.append(now)
        elif unfinished[one]:
            unfinished[one] -= 1
            kept.append(now)
            for process in processes:
                process.learn(ended(told=len(kept)), 0, now)
        of_day = sum(at + KEPT > now for at in restarts)
        tries = [at for at in tries if at + KEPT + 600 > now]
        assert len(kept) <= bound + (3 + of_day) * places + len(tries)
        most = max(most, len(kept))
    assert most >= bound
