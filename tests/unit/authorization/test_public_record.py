"""The public record of an authorization: the payer, since when an action is required, and when a handoff closed."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from consumers.authorization.event_factory import public_record, shows_more
from consumers.authorization.facts import CloseAnswered, Observed
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, AuthorizationState, Closer, CommandRef, Handoff
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff

NOW = 1_800_000_000.0
CLOSED_AT = datetime(2026, 6, 2, 14, 30, tzinfo=UTC)


@dataclass
class Authorization:
    """An authorization that is read several times."""

    state: AuthorizationState = NEW
    version: int = 0
    events: list = field(default_factory=list)

    def read(self, now, status="requires_action", action="complete_payer_interaction", handoff=None, **more):
        self.version += 1
        wire = {"id": "auth_1", "version": self.version, "status": status, **more}
        if action and status == "requires_action":
            wire["nextAction"] = {"type": action, **more}
        if handoff is not None and handoff.state != "closed":
            wire["activeManualHandoff"] = {"id": handoff.id}
        observed = Observed(PriorAuthorization.model_validate(wire), (handoff,) if handoff else ())
        return self.reduce(observed, now)

    def reduce(self, fact, now):
        self.state, pending = reduce(self.state, fact, now)
        self.events = [one.event for one in pending]
        return public_record(self.state, now)


def handoff(state="active", **more):
    return ManualHandoff(id="mh_1", version=1, state=state, access_available=True, **more)


def test_another_last_handoff_alone_is_shown():
    one = Authorization()
    one.read(NOW)
    before = one.state.replace(last=Handoff(id="mh_1", state="closed", seen_at=1.0, open_version=1, result="expired"))
    after = before.replace(last=before.last.replace(result="revoked"))
    assert shows_more(before, after)
    assert not shows_more(before, before.replace(last=before.last.replace(seen_at=2.0)))


def test_an_action_is_required_since_the_first_read_of_its_type():
    one = Authorization()
    assert one.read(NOW, "processing").action_required_at is None
    assert one.read(NOW + 10).action_required_at.timestamp() == NOW + 10
    later = one.read(NOW + 20, covers={"reviewSnapshotId": "rev_2"})
    assert (later.covers_review_snapshot_id, later.action_required_at.timestamp()) == ("rev_2", NOW + 10)
    assert one.read(NOW + 30, action="approve_submission").action_required_at.timestamp() == NOW + 30
    assert one.read(NOW + 40, "processing").action_required_at is None


def test_no_action_is_required_while_a_handoff_is_open_or_not_reconciled():
    one = Authorization()
    one.read(NOW)
    assert one.read(NOW + 1, handoff=handoff()).action_required_at is None
    assert one.read(NOW + 2, "processing", handoff=handoff("closed", result="expired")).action_required_at is None
    assert one.read(NOW + 3).action_required_at.timestamp() == NOW + 3


@pytest.mark.parametrize(
    ("wire", "payer"),
    [
        ({"payer": {"id": "payer_a", "displayName": "A"}, "request": {"payerId": "payer_b"}}, "payer_a"),
        ({"payer": None, "request": {"payerId": "payer_b"}}, "payer_b"),
        ({"payer": "Example Health", "request": {"payerId": "payer_b"}}, "payer_b"),
        ({"payer": {"id": "Example Health"}}, None),
        ({"request": []}, None),
        ({}, None),
    ],
)
def test_the_payer_is_public_where_collate_shows_an_id(wire, payer):
    one = Authorization()
    assert one.read(NOW, **wire).payer_id == payer
    assert one.events[-1].payer_id == payer, "in authorization.action_required"


def test_a_payer_that_a_later_read_does_not_show_stays_known():
    one = Authorization()
    one.read(NOW, payer={"id": "payer_a"})
    assert one.read(NOW + 1).payer_id == "payer_a"
    assert one.read(NOW + 2, payer={"id": "payer_b"}).payer_id == "payer_b"


def test_the_events_of_a_handoff_name_the_payer_from_the_first_read():
    one = Authorization()
    one.read(NOW, handoff=handoff(), payer={"id": "payer_a"})
    assert one.events[0].payer_id == "payer_a", "in handoff.opened"


def test_a_closed_handoff_has_collates_time():
    one = Authorization()
    one.read(NOW, handoff=handoff())
    record = one.read(NOW + 1, "processing", handoff=handoff("closed", result="expired", closed_at=CLOSED_AT))
    assert (one.events[0].closed_at, record.last_handoff.closed_at) == (CLOSED_AT, CLOSED_AT)


@pytest.mark.parametrize("shown", [None, "2026-06-02T14:30:00Z"])
def test_the_answer_to_our_close_gives_the_time_if_it_has_one(shown):
    one = Authorization()
    one.read(NOW, handoff=handoff())
    answer = {
        "manualHandoffId": "mh_1",
        "state": "closed",
        "authorization": {"id": "auth_1", "version": 9, "status": "processing"},
        "result": "completed_reported",
        "closedAt": shown,
    }
    closer = Closer(caused_by=CommandRef(command_id="c"), operation="complete", reported="submitted")
    record = one.reduce(CloseAnswered(CloseAnswer.model_validate(answer), closer), NOW + 1)
    expected = CLOSED_AT if shown else None
    assert (one.events[0].closed_at, record.last_handoff.closed_at) == (expected, expected)


def test_the_time_of_the_last_type_does_not_outlive_its_action():
    stale = Authorization(NEW.replace(action_required_at=NOW - 1000.0))
    stale.read(NOW, "processing")
    assert stale.read(NOW + 1).action_required_at.timestamp() == NOW + 1
