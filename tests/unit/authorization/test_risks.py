"""When an open handoff is at risk: before its grant or Collate's patience ends, and when no operator has entered it."""

from datetime import UTC, datetime

import pytest

from consumers.authorization.facts import GrantRecorded, Observed, TimePassed
from consumers.authorization.handoffs import RiskRules
from consumers.authorization.passing_time import next_event_at
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, AuthorizationState
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff

NOW = 1_800_000_000.0
MINUTE = 60.0
TIME = TimePassed()


class Case:
    """An open handoff without any access grant."""

    def __init__(self, rules=None):
        self.rules, self.state = rules or RiskRules(), NEW
        wire = {"id": "auth_1", "version": 1, "status": "requires_action", "activeManualHandoff": {"id": "mh_1"}}
        handoff = ManualHandoff(
            id="mh_1", version=1, state="active", access_available=True, activated_at=datetime.fromtimestamp(NOW, UTC)
        )
        self.seen = Observed(PriorAuthorization.model_validate(wire), (handoff,))
        self.after(0.0, self.seen)

    def after(self, seconds, fact=TIME):
        """Return the risks that a fact publishes, each with the seconds until the expected end."""
        self.state, events = reduce(self.state, fact, NOW + seconds, self.rules)
        self.state = AuthorizationState.decode(self.state.encode())
        risks = [one.event for one in events if one.event.TYPE.value.endswith("at_risk.v1")]
        return [(one.reason, one.ends_at and one.ends_at.timestamp() - NOW) for one in risks]

    def grant(self, at, until):
        return self.after(at, GrantRecorded("mh_1", "op", "desk", NOW + until, "c"))

    def next(self):
        return next_event_at(self.state, self.rules) - NOW


def test_a_handoff_that_nobody_enters_is_at_risk_and_ends_as_abandoned():
    case = Case()
    assert case.next() == 5 * MINUTE
    assert case.after(299.0) == []
    assert case.after(300.0) == [("not_entered", 900.0)]
    assert case.after(300.0, case.seen) == []
    assert case.next() == 600.0
    assert case.after(600.0) == [("abandonment", 900.0)]
    assert case.after(3_600.0) == []
    assert case.after(4 * 3_600.0) == [("open_too_long", None)], "Collate did not end it at the expected time"


def test_a_grant_warns_before_its_end_and_the_next_one_averts_the_risk():
    case = Case()
    assert case.grant(10.0, until=310.0) == []
    assert case.next() == 250.0
    assert case.after(250.0) == [("grant_expiring", 1_210.0)]
    assert case.grant(280.0, until=580.0) == []
    assert case.next() == 520.0
    assert case.after(520.0) == [("grant_expiring", 1_480.0)]
    assert case.after(580.0) == [("grant_expired", 1_480.0)]
    assert case.after(1_180.0) == [("abandonment", 1_480.0)]
    assert case.grant(1_200.0, until=1_500.0) == []
    assert case.after(1_440.0) == [("grant_expiring", 2_400.0)]


def test_an_older_grant_changes_nothing():
    case = Case()
    case.grant(0.0, until=600.0)
    case.grant(1.0, until=300.0)
    assert case.next() == 540.0


def test_a_short_grant_has_half_of_its_life_without_a_warning():
    case = Case()
    case.grant(0.0, until=40.0)
    assert case.next() == 20.0


@pytest.mark.parametrize(("read_at", "expected"), [(310.0, "grant_expired"), (250.0, "grant_expiring")])
def test_a_warning_that_comes_too_late_is_left_out(read_at, expected):
    case = Case()
    case.grant(0.0, until=300.0)
    assert [reason for reason, _ in case.after(read_at)] == [expected]


def test_without_a_known_period_of_abandonment_no_end_is_expected():
    case = Case(RiskRules(abandonment_seconds=None))
    assert case.after(3_600.0) == [("not_entered", None)]
    assert case.next() == 4 * 3_600.0


def test_a_grant_of_an_older_version_expires_without_a_warning():
    case = Case()
    case.grant(0.0, until=300.0)
    stored = case.state.replace(active=case.state.active.replace(grant_expiring_at=None))
    case.state = AuthorizationState.decode(stored.encode())
    assert case.next() == 300.0
