"""Due dates: one `authorization.overdue` for each, never after the end, and a timer for it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from consumers.authorization.facts import DueStated, Observed, TimePassed, VersionFloorSet
from consumers.authorization.handoffs import NEVER, RiskRules
from consumers.authorization.passing_time import next_event_at
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, AuthorizationState, CommandRef
from schemas.collate.authorization import PriorAuthorization
from schemas.events import AuthorizationOverdue, AuthorizationSettled

RULES = RiskRules()
REF = CommandRef(command_id="c-1", metadata={"case": "42"})


def read(version, status="processing"):
    wire = {"id": "auth_1", "version": version, "status": status, "payer": {"id": "payer_1"}}
    return Observed(PriorAuthorization.from_wire(json.dumps(wire)))


class Case:
    """An authorization that was read once, and its events about due dates."""

    def __init__(self):
        self.state, self.now, self.events = NEW, 1_000.0, []
        self.apply(read(1))

    def apply(self, fact, after=0.0):
        self.now += after
        self.state, events = reduce(self.state, fact, self.now, RULES)
        self.state = AuthorizationState.decode(self.state.encode())
        new = [one for one in events if isinstance(one.event, AuthorizationOverdue | AuthorizationSettled)]
        self.events += new
        return [one.event for one in new]


def test_the_event_is_due_at_the_date_and_names_the_command():
    case = Case()
    assert case.apply(DueStated(1_100.0, 1_000.0, REF)) == []
    assert next_event_at(case.state, RULES) == 1_100.0
    assert case.apply(TimePassed(), after=99.0) == []
    (overdue,) = case.apply(TimePassed(), after=1.0)
    assert (overdue.due_at.timestamp(), overdue.status, overdue.payer_id) == (1_100.0, "processing", "payer_1")
    assert (overdue.metadata, case.events[-1].cause) == ({"case": "42"}, "c-1")
    assert next_event_at(case.state, RULES) == NEVER
    assert case.apply(read(2), after=9.0) == []


def test_a_date_that_has_passed_is_overdue_at_once():
    case = Case()
    assert len(case.apply(DueStated(900.0, 1_000.0, REF))) == 1


def test_the_read_at_the_date_that_shows_the_end_comes_first():
    case = Case()
    case.apply(DueStated(1_100.0, 1_000.0, REF))
    (settled,) = case.apply(read(2, "completed"), after=100.0)
    assert (settled.in_time, settled.due_at.timestamp()) == (True, 1_100.0)
    assert next_event_at(case.state, RULES) == NEVER


def test_an_end_after_the_date_is_not_in_time_and_without_a_date_nothing_is_said():
    case = Case()
    case.apply(DueStated(1_100.0, 1_000.0, REF))
    case.apply(TimePassed(), after=100.0)
    (settled,) = case.apply(read(2, "completed"), after=1.0)
    assert settled.in_time is False
    (settled,) = Case().apply(read(2, "completed"))
    assert (settled.in_time, settled.due_at) == (None, None)


def test_a_later_command_replaces_the_date_and_an_older_redrive_does_not():
    case = Case()
    case.apply(DueStated(1_100.0, 900.0, REF))
    case.apply(DueStated(1_200.0, 1_000.0, REF))
    case.apply(DueStated(1_150.0, 950.0, REF, is_redrive=True))
    assert case.state.due.at == 1_200.0
    case.apply(DueStated(1_300.0, 1_050.0, REF, is_redrive=True))
    assert case.state.due.at == 1_300.0


def test_a_settled_authorization_keeps_its_date():
    case = Case()
    case.apply(read(2, "completed"))
    assert case.apply(DueStated(900.0, 1_000.0, REF)) == []
    assert case.state.due is None


FACTS = st.one_of(
    st.builds(DueStated, st.sampled_from([900.0, 1_005.0, 1_010.0, 1_030.0]), st.just(1_000.0), st.just(REF)),
    st.just(TimePassed()),
    st.builds(read, st.integers(1, 5), st.sampled_from(["processing", "requires_action", "completed"])),
    st.builds(VersionFloorSet, st.integers(1, 3)),
)


@given(st.lists(st.tuples(FACTS, st.sampled_from([0.0, 1.0, 7.0])), max_size=25))
def test_each_stated_date_is_overdue_once_and_never_after_the_end(steps):
    case = Case()
    published = 0
    for fact, after in steps:
        before = case.state
        new = [one for one in case.apply(fact, after) if isinstance(one, AuthorizationOverdue)]
        state = case.state
        if state.due is not None and (before.due is None or before.due.at != state.due.at):
            published = 0
        published += len(new)
        assert published <= 1
        assert not new or (state.settled_at is None and state.due.at <= case.now)
        assert (state.due is not None and state.due.overdue_at is not None) == (published == 1)
        is_checked = isinstance(fact, TimePassed | Observed)
        if is_checked and state.due is not None and state.settled_at is None and state.due.at <= case.now:
            assert published == 1
        if is_checked:
            assert next_event_at(state, RULES) > case.now
