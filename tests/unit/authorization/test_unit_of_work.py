"""The bounded parts of the state that a unit of work keeps: dead letters and the watch."""

from dataclasses import dataclass

import pytest

from consumers.authorization.event_writer import EventWriter
from consumers.authorization.facts import Observed
from consumers.authorization.handoffs import RiskRules
from consumers.authorization.state import NEW, OpenDeadLetter
from consumers.authorization.unit_of_work import UnitOfWork
from schemas.collate.authorization import PriorAuthorization
from schemas.topics import catalogue

NOW = 1_800_000_000.0
DAY = 24 * 3600.0


@dataclass
class Invocation:
    now: float
    key = b"auth_1"


def unit_of_work(state=NEW, now=NOW):
    return UnitOfWork(Invocation(now), state, None, RiskRules(), caused_at=NOW)


def dead_letter(days):
    return OpenDeadLetter(at=NOW - days * DAY, command="t", caller="me")


def test_a_dead_letter_is_kept_for_thirty_days():
    work = unit_of_work(NEW.replace(dead_letters={"old": dead_letter(30), "young": dead_letter(29.999)}))
    work.add_dead_letter("new", dead_letter(0))
    assert list(work.state.dead_letters) == ["young", "new"]


def test_the_oldest_dead_letter_goes_above_sixty_four():
    work = unit_of_work()
    for number in range(65):
        work.add_dead_letter(str(number), dead_letter(0))
    assert list(work.state.dead_letters) == [str(number) for number in range(1, 65)]
    work.add_dead_letter("64", dead_letter(0))
    assert len(work.state.dead_letters) == 64, "the same command takes one place"
    work.remove_dead_letter("64")
    work.remove_dead_letter("not there")
    assert len(work.state.dead_letters) == 63


@pytest.mark.parametrize(("passed", "until"), [(0.09, 100.0), (0.1, 100.0), (0.11, 111.0)])
def test_a_watch_is_prolonged_after_a_tenth_of_its_time(passed, until):
    work = unit_of_work()
    work.watch(100.0)
    assert work.starts_watch
    later = unit_of_work(work.state, NOW + passed * 100.0)
    later.watch(100.0)
    assert later.state.watch.until == pytest.approx(NOW + until)
    assert not later.starts_watch


def test_a_settled_authorization_is_not_watched():
    work = unit_of_work(NEW.replace(settled_at=NOW))
    work.watch(100.0)
    assert work.state.watch is None


def test_an_ended_watch_starts_again():
    work = unit_of_work()
    work.watch(100.0)
    ended = work.state.replace(watch=work.state.watch.replace(ended=True, since=NOW - DAY))
    work = unit_of_work(ended)
    work.watch(100.0)
    assert work.starts_watch
    assert (work.state.watch.since, work.state.watch.ended) == (NOW, False)


async def test_the_events_of_each_commit_are_counted_once():
    counted = []

    class Numbers:
        def count(self, before, after, events, now):
            counted.append((before, after, [pending.event.__class__.__name__ for pending in events], now))

    class Committing(Invocation):
        async def checkpoint(self, state, outputs, on_commit):
            for say in on_commit:
                say()

    writer = EventWriter(catalogue("t."), "/test", Numbers())
    work = UnitOfWork(Committing(NOW), NEW, writer, RiskRules(), caused_at=NOW)
    wire = {"id": "auth_1", "version": 1, "status": "requires_action"}
    work.apply(Observed(PriorAuthorization.model_validate(wire | {"nextAction": {"type": "x"}})))
    await work.checkpoint()
    work.done(None)
    ((before, after, events, now),) = counted
    assert (before, events, now) == (NEW, ["AuthorizationChanged", "AuthorizationActionRequired"], NOW)
    assert after.known.version == 1
