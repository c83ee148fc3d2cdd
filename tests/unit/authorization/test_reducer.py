"""Single steps of the reducer; tests/process/authorization has random schedules of the whole key queue."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.authorization.facts import (
    CloseAnswered,
    CloseInferred,
    CreateAnswered,
    CreateInferred,
    GrantRecorded,
    Observed,
    TimePassed,
)
from consumers.authorization.handoffs import RiskRules
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, AuthorizationState, Closer, CommandRef
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff

NOW = 1_800_000_000.0
HOUR = 3600.0


def observed(
    version=1, status="requires_action", handoffs=(), pointer=None, action="complete_payer_interaction", **more
):
    wire = {"id": "auth_1", "version": version, "status": status, **more}
    if action and status == "requires_action":
        wire["nextAction"] = {"type": action}
    if pointer:
        wire["activeManualHandoff"] = {"id": pointer}
    return Observed(PriorAuthorization.model_validate(wire), tuple(handoffs))


def handoff(state="active", handoff_id="mh_1", version=1, **more):
    return ManualHandoff(id=handoff_id, version=version, state=state, access_available=True, **more)


# Only the end of a grant and a long time are risks; test_risks.py has the others.
RULES = RiskRules(not_entered_seconds=float("inf"), grant_expiring_seconds=0.0, abandonment_seconds=None)


def reduced(state, fact, now=NOW, rules=RULES):
    state, events = reduce(state, fact, now, rules)
    return state, [type(one.event).__name__ for one in events], [one.event for one in events]


def test_the_first_observation_publishes_the_current_state():
    state, names, events = reduced(NEW, observed())
    assert names == ["AuthorizationChanged", "AuthorizationActionRequired"]
    assert (events[0].from_status, events[0].to_status) == (None, "requires_action")
    _, names, _ = reduced(state, observed())
    assert names == []


def test_the_order_of_the_events_of_one_observation():
    state, names, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()]))
    assert names == ["HandoffOpened", "AuthorizationChanged"]
    end = observed(9, "completed", [handoff("closed", version=3, result="completed_reported")], outcome="approved")
    state, names, events = reduced(state, end)
    assert names == ["HandoffClosed", "AuthorizationChanged", "HandoffReconciled", "AuthorizationSettled"]
    assert events[-1].agreement == events[-2].agreement == "undetermined"
    _, names, _ = reduced(state, observed(9, "completed", outcome="approved"))
    assert names == []


def test_the_last_handoff_is_reconciled_before_our_next_one_opens():
    state, _, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()]))
    state, names, _ = reduced(state, observed(3, "processing", [handoff("closed", version=3, result="expired")]))
    assert names == ["HandoffClosed", "AuthorizationChanged"]
    state, names, events = reduced(state, CreateAnswered(handoff(handoff_id="mh_2"), 4, CommandRef(command_id="c")))
    assert names == ["HandoffReconciled", "HandoffOpened"]
    assert (events[0].handoff_id, events[1].handoff_id) == ("mh_1", "mh_2")


def test_nobody_is_needed_while_a_handoff_of_unknown_id_is_open():
    unread = {"activeManualHandoff": {"session": "s"}}
    state, names, _ = reduced(NEW, observed(1, **unread))
    assert names == ["AuthorizationChanged"]
    state, names, _ = reduced(state, observed(2))
    assert names == ["AuthorizationActionRequired"]
    state, _, _ = reduced(state, observed(3, pointer="mh_1", handoffs=[handoff()]))
    state, _, _ = reduced(state, observed(5, "processing", [handoff("closed", version=3, result="expired")]))
    state, names, _ = reduced(state, observed(6, **unread))
    assert names == ["AuthorizationChanged"], "the open handoff may still be the last one"
    _, names, _ = reduced(state, observed(7))
    assert names == ["HandoffReconciled", "AuthorizationActionRequired"]


def test_an_action_is_published_again_only_after_it_was_gone_or_changed():
    state, _, _ = reduced(NEW, observed(1))
    state, names, _ = reduced(state, observed(2))
    assert names == []
    state, names, _ = reduced(state, observed(3, action="approve_submission"))
    assert names == ["AuthorizationActionRequired"]
    state, names, _ = reduced(state, observed(4, "processing"))
    assert names == ["AuthorizationChanged"]
    _, names, _ = reduced(state, observed(5, action="approve_submission"))
    assert names == ["AuthorizationChanged", "AuthorizationActionRequired"]


@pytest.mark.parametrize("read_after", [10, 400], ids=["before the link expires", "after it"])
def test_a_grant_recorded_before_the_first_read_of_its_handoff_expires_like_any_other(read_after):
    state, names, _ = reduced(NEW, GrantRecorded("mh_1", "op", "desk", NOW + 300, "c"))
    state, _, _ = reduced(state, GrantRecorded("mh_1", "op", "desk", NOW + 200, "c"))
    assert names == ["HandoffAccessGranted"]
    state = AuthorizationState.decode(state.encode())
    state, names, _ = reduced(state, observed(1, pointer="mh_1", handoffs=[handoff()]), NOW + read_after)
    assert names[:2] == ["HandoffOpened", "AuthorizationChanged"]
    if read_after < 300:
        assert reduced(state, TimePassed(), NOW + 299)[1] == []
        state, names, _ = reduced(state, TimePassed(), NOW + 300)
    assert names[-1] == "HandoffAtRisk"
    assert state.early_grant is None
    assert reduced(state, TimePassed(), NOW + 500)[1] == []


def test_an_early_grant_is_kept_for_one_unread_handoff_and_for_no_ended_one():
    state, _, _ = reduced(NEW, GrantRecorded("mh_0", "op", "desk", NOW + 300, "c"))
    state, _, _ = reduced(state, GrantRecorded("mh_1", "op", "desk", NOW + 200, "c"))
    assert state.early_grant.handoff_id == "mh_1"
    state, names, _ = reduced(state, observed(1, pointer="mh_2", handoffs=[handoff(handoff_id="mh_2")]), NOW + 400)
    assert "HandoffAtRisk" not in names
    end = observed(2, "processing", handoffs=[handoff("closed", "mh_2", 2, result="revoked")])
    state, _, _ = reduced(state, end)
    state, _, _ = reduced(state, GrantRecorded("mh_2", "op", "desk", NOW + 900, "c"))
    assert state.early_grant.handoff_id == "mh_1"


@pytest.mark.parametrize(
    ("opened_ago", "at_risk_after"),
    [
        pytest.param(10 * HOUR, 0.0, id="another actor's, open for long before the first look"),
        pytest.param(3 * HOUR, HOUR, id="open for a while before it"),
        pytest.param(-HOUR, 4 * HOUR, id="Collate's clock is ahead of ours: from our first look on"),
        pytest.param(None, 4 * HOUR, id="Collate doesn't say: likewise"),
    ],
)
def test_open_too_long_counts_from_collates_opening_time(opened_ago, at_risk_after):
    opened_at = None if opened_ago is None else datetime.fromtimestamp(NOW - opened_ago, UTC)
    sight = observed(1, pointer="mh_1", handoffs=[handoff(activated_at=opened_at)])
    state, names, _ = reduced(NEW, sight)
    assert names[:2] == ["HandoffOpened", "AuthorizationChanged"]
    if at_risk_after:
        assert names[2:] == []
        state, names, _ = reduced(state, TimePassed(), NOW + at_risk_after - 1)
        assert names == []
        state, names, _ = reduced(state, TimePassed(), NOW + at_risk_after)
    assert names[-1] == "HandoffAtRisk"
    assert reduced(state, TimePassed(), NOW + 9 * HOUR)[1] == []


def test_an_offered_handoff_is_not_at_risk():
    created_at = datetime.fromtimestamp(NOW - 10 * HOUR, UTC)
    state, names, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff("offered", created_at=created_at)]))
    assert names == ["AuthorizationChanged"]
    _, names, _ = reduced(state, observed(2, pointer="mh_1", handoffs=[handoff(version=2, created_at=created_at)]))
    assert names == ["HandoffOpened", "HandoffAtRisk"]


def test_a_new_handoff_ends_the_previous_one():
    state, _, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()]))
    state, names, events = reduced(state, observed(7, pointer="mh_2", handoffs=[handoff(handoff_id="mh_2")]))
    assert names == ["HandoffClosed", "HandoffReconciled", "HandoffOpened"]
    assert (events[0].result, events[0].by) == ("unrecognised", "other")


def test_unknown_words_of_collate_are_passed_on():
    state, names, events = reduced(NEW, observed(1, "paused", action=None))
    assert names == ["AuthorizationChanged"]
    assert events[0].to_status == "paused"
    assert state.emitted_action is None


def our_close(state, version=2):
    answer = {"manualHandoffId": "mh_1", "state": "closed", "result": "completed_reported"}
    answer |= {"authorization": {"id": "auth_1", "version": version, "status": "processing"}}
    closer = Closer(caused_by=CommandRef(command_id="c"), operation="complete", reported="submitted")
    return reduced(state, CloseAnswered(CloseAnswer.model_validate(answer), closer))


def test_a_read_from_before_our_close_publishes_nothing():
    state, _, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()]))
    state, names, _ = our_close(state)
    assert names == ["HandoffClosed", "AuthorizationChanged"]
    for old in (
        observed(1),
        observed(1, pointer="mh_1", handoffs=[handoff()]),
        observed(1, "completed", outcome="approved"),
    ):
        assert reduced(state, old) == (state, [], [])


def test_our_close_of_a_handoff_that_no_read_has_shown_is_ours():
    state, _, _ = reduced(NEW, observed(1, pointer="mh_1"))  # a replica that lags answers 404 for the handoff
    closed, names, events = our_close(state)
    assert names == ["HandoffOpened", "HandoffClosed", "AuthorizationChanged"]
    assert (events[1].by, events[1].reported, events[1].version) == ("us", "submitted", 2)
    late = observed(2, "processing", pointer="mh_1", handoffs=[handoff("closed", result="completed_reported")])
    assert reduced(closed, late)[1] == []


def test_a_repeated_answer_to_our_close_opens_nothing_after_a_later_version():
    state, _, _ = reduced(NEW, observed(3, pointer="mh_1"))
    assert our_close(state) == (state, [], [])


def test_a_receipt_from_before_the_handoff_does_not_confirm_its_report():
    receipt = {"submission": {"payerReceipt": {"referenceNumber": "r"}}}
    state, _, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()], **receipt))
    state, _, _ = our_close(state)
    _, names, events = reduced(state, observed(3, "waiting_on_payer", **receipt))
    assert names == ["AuthorizationChanged", "HandoffReconciled"]
    assert (events[-1].reported, events[-1].agreement) == ("submitted", "undetermined")
    first, _, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()]))
    first, _, _ = our_close(first)
    assert reduced(first, observed(3, "waiting_on_payer", **receipt))[2][-1].agreement == "agrees"


CLOSER = Closer(caused_by=CommandRef(command_id="c"), operation="complete", reported="submitted")


@pytest.mark.parametrize("fact", [CreateInferred("mh_1", CommandRef(command_id="c")), CloseInferred("mh_1", CLOSER)])
def test_what_was_inferred_counts_once_and_only_for_the_open_handoff(fact):
    assert reduced(NEW, fact) == (NEW, [], [])
    other, _, _ = reduced(NEW, observed(1, pointer="mh_2", handoffs=[handoff(handoff_id="mh_2")]))
    assert reduced(other, fact) == (other, [], [])
    state, _, _ = reduced(NEW, observed(1, pointer="mh_1", handoffs=[handoff()]))
    inferred, names, _ = reduced(state, fact)
    assert (inferred != state, names) == (True, [])
    later = replace(fact, **{("caused_by" if isinstance(fact, CreateInferred) else "closer"): None})
    assert reduced(inferred, later) == (inferred, [], [])


def test_what_only_the_record_shows_is_published_as_a_change_of_nothing_else():
    state, _, _ = reduced(NEW, observed(1))
    offered = observed(2, pointer="mh_1", handoffs=[handoff("offered")])
    state, names, events = reduced(state, offered)
    assert names == ["AuthorizationChanged"]
    assert events[0].from_status == events[0].to_status == "requires_action"
    assert reduced(state, offered)[1] == []
    assert reduced(state, observed(3, pointer="mh_1", handoffs=[handoff("offered")]))[1] == [], "a version is no news"


def test_an_unknown_fact_is_an_error():
    with pytest.raises(AssertionError, match="unreachable"):
        reduce(NEW, object(), NOW)
