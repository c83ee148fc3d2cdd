"""The re-read table of decision 0002: each row, and the value on each side of its boundary."""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.applier.decision.decision_input import DecisionInput
from consumers.applier.decision.resolve import (
    ForeignHandoff,
    Inferred,
    NoEffect,
    PendingIntent,
    Unidentified,
    Unknown,
    resolve,
)
from consumers.authorization.facts import Observed
from consumers.authorization.observation import MissingAuthorization
from consumers.authorization.state import NEW, AmbiguousWrite, Handoff
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff
from schemas.commands import Completed, HandoffClose, HandoffRequest
from schemas.enums import ReportedOutcome
from schemas.events.wait_reasons import WaitReason

SENT = datetime(2026, 5, 4, 12, tzinfo=UTC)
WRITE = AmbiguousWrite(version=5, since=SENT.timestamp())
CLOSE = HandoffClose(handoff_id="mh", result=Completed(reported_outcome=ReportedOutcome.SUBMITTED))


def verdict(payload, version, state="active", *, may_be_stale=False, stored=NEW, raises=False, **handoff):
    """Resolve with a read of this version; the handoff's state None means that the read shows none."""
    wire = {"id": "auth_1", "version": version, "status": "requires_action"}
    shown = () if state is None else (ManualHandoff(id="mh", version=1, state=state, **handoff),)
    if state not in {None, "closed"}:
        wire["activeManualHandoff"] = {"id": "mh"}
    observed = Observed(PriorAuthorization.model_validate(wire), shown)
    return resolved(payload, observed, stored, may_be_stale=may_be_stale, raises=raises)


def resolved(payload, observed, stored=NEW, *, may_be_stale=False, raises=False):
    waited = 59.9 if may_be_stale else 60.0
    decision_input = DecisionInput.of(payload, observed, stored, waited_seconds=waited)
    return resolve(decision_input, WRITE, handoffs_raise_version=raises)


@pytest.mark.parametrize(
    ("version", "expected"),
    [(5, Inferred("mh")), (6, Inferred("mh")), (7, Unidentified()), (8, Unidentified())],
)
def test_one_opening_explains_at_most_one_more_version(version, expected):
    assert verdict(HandoffRequest(), version) == expected


@pytest.mark.parametrize(("version", "expected"), [(5, NoEffect()), (6, Unknown()), (7, Unknown())])
def test_without_a_handoff_only_the_same_version_shows_that_nothing_happened(version, expected):
    assert verdict(HandoffRequest(), version, None) == expected


@pytest.mark.parametrize(
    ("version", "expected"), [(4, Unknown()), (5, NoEffect()), (6, NoEffect()), (7, Unknown()), (8, Unknown())]
)
def test_if_openings_and_ends_raise_the_version_one_change_is_neither(version, expected):
    assert verdict(HandoffRequest(), version, None, raises=True) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-61, ForeignHandoff("mh")), (-60, Inferred("mh")), (0, Inferred("mh"))]
)
@pytest.mark.parametrize("field", ["created_at", "activated_at"])
def test_a_handoff_older_than_our_write_is_foreign(seconds, expected, field):
    assert verdict(HandoffRequest(), 6, **{field: SENT + timedelta(seconds=seconds)}) == expected


def test_the_stored_time_of_opening_counts_if_the_handoff_was_not_read():
    old = Handoff(id="mh", state="active", open_version=5, opened_at=SENT.timestamp() - 61)
    wire = {"id": "auth_1", "version": 6, "status": "requires_action", "activeManualHandoff": {"id": "mh"}}
    observed = Observed(PriorAuthorization.model_validate(wire))
    for stored, expected in [(old, ForeignHandoff("mh")), (old.replace(opened_at=None), Inferred("mh"))]:
        state = NEW.replace(active=stored)
        assert resolved(HandoffRequest(), observed, state) == expected


@pytest.mark.parametrize(
    ("state", "may_be_stale", "expected"),
    [
        ("closing", False, PendingIntent(WaitReason.CLOSING)),
        ("closing", True, PendingIntent(WaitReason.CLOSING)),
        ("active", True, Unidentified()),
    ],
)
def test_a_handoff_behind_a_higher_version(state, may_be_stale, expected):
    assert verdict(HandoffRequest(), 7, state, may_be_stale=may_be_stale) == expected


@pytest.mark.parametrize(
    ("may_be_stale", "expected"), [(True, PendingIntent(WaitReason.STALE_READ)), (False, Unknown())]
)
def test_an_authorization_that_is_not_found_is_read_again_first(may_be_stale, expected):
    assert resolved(CLOSE, MissingAuthorization(), may_be_stale=may_be_stale) == expected


@pytest.mark.parametrize("payload", [HandoffRequest(), CLOSE], ids=["create", "close"])
def test_a_read_below_the_highest_version_resolves_nothing(payload):
    for floor, is_read_again in [(6, False), (7, True)]:
        found = verdict(payload, 6, stored=NEW.replace(floor=floor))
        assert (found == PendingIntent(WaitReason.STALE_READ)) is is_read_again


@pytest.mark.parametrize(
    ("state", "result", "expected"),
    [
        ("active", None, NoEffect()),
        ("offered", None, NoEffect()),
        ("closing", None, PendingIntent(WaitReason.CLOSING)),
        ("closed", "completed_reported", Inferred("mh")),
        ("closed", "revoked", NoEffect()),
        ("closed", "expired", NoEffect()),
        ("closed", "a new word", Unknown()),
        ("closed", None, Unknown()),
    ],
)
def test_a_close_is_resolved_by_the_result_of_its_handoff(state, result, expected):
    assert verdict(CLOSE, 6, state, result=result) == expected


@pytest.mark.parametrize(
    ("may_be_stale", "expected"), [(True, PendingIntent(WaitReason.STALE_READ)), (False, Unknown())]
)
def test_a_close_of_a_handoff_that_is_not_shown_is_read_again_first(may_be_stale, expected):
    assert verdict(CLOSE, 6, None, may_be_stale=may_be_stale) == expected
