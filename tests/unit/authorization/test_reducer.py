"""Single steps of the reducer that a reader may want to see; the model test covers the rest."""

from datetime import UTC, datetime

import pytest

from consumers.authorization.facts import CloseAnswered, GrantRecorded, Observed, TimePassed
from consumers.authorization.reducer import RiskRules, reduce
from consumers.authorization.state import NEW, AuthorizationState, Closer, CommandRef
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff

NOW = 1_800_000_000.0
HOUR = 3600.0


def look(version=1, status="requires_action", handoffs=(), pointer=None, action="complete_payer_interaction", **more):
    wire = {"id": "auth_1", "version": version, "status": status, **more}
    if action and status == "requires_action":
        wire["nextAction"] = {"type": action}
    if pointer:
        wire["activeManualHandoff"] = {"id": pointer}
    return Observed(PriorAuthorization.model_validate(wire), tuple(handoffs))


def handoff(state="active", handoff_id="mh_1", version=1, **more):
    return ManualHandoff(id=handoff_id, version=version, state=state, access_available=True, **more)


RULES = RiskRules()


def told(memory, fact, now=NOW, rules=RULES):
    memory, events = reduce(memory, fact, now, rules)
    return memory, [type(one.event).__name__ for one in events], [one.event for one in events]


def test_the_first_sight_tells_where_it_stands():
    memory, names, events = told(NEW, look())
    assert names == ["AuthorizationChanged", "AuthorizationActionRequired"]
    assert (events[0].from_status, events[0].to_status) == (None, "requires_action")
    _, names, _ = told(memory, look())
    assert names == []


def test_the_order_of_events_of_one_look():
    memory, names, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff()]))
    assert names == ["HandoffOpened", "AuthorizationChanged"]
    end = look(9, "completed", [handoff("closed", version=3, result="completed_reported")], outcome="approved")
    memory, names, events = told(memory, end)
    assert names == ["HandoffClosed", "AuthorizationChanged", "HandoffReconciled", "AuthorizationSettled"]
    assert events[-1].agreement == events[-2].agreement == "undetermined"
    _, names, _ = told(memory, look(9, "completed", outcome="approved"))
    assert names == []


def test_an_action_is_required_again_only_after_it_was_gone_or_changed():
    memory, _, _ = told(NEW, look(1))
    memory, names, _ = told(memory, look(2))
    assert names == []
    memory, names, _ = told(memory, look(3, action="approve_submission"))
    assert names == ["AuthorizationActionRequired"]
    memory, names, _ = told(memory, look(4, "processing"))
    assert names == ["AuthorizationChanged"]
    _, names, _ = told(memory, look(5, action="approve_submission"))
    assert names == ["AuthorizationChanged", "AuthorizationActionRequired"]


def test_a_handoff_is_at_risk_once_per_reason_and_again_after_another_grant():
    memory, _, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff()]))
    memory, names, _ = told(memory, GrantRecorded("mh_1", "op", NOW + 300, "c"))
    assert names == ["HandoffAccessGranted"]
    memory, names, _ = told(memory, TimePassed(), NOW + 299)
    assert names == []
    memory, names, events = told(memory, look(1, pointer="mh_1"), NOW + 301)
    assert (names, events[0].reason) == (["HandoffAtRisk"], "grant_expired")
    memory, names, _ = told(memory, TimePassed(), NOW + 400)
    assert names == []
    memory, _, _ = told(memory, GrantRecorded("mh_1", "op", NOW + 700, "c"), NOW + 410)
    memory, names, _ = told(memory, TimePassed(), NOW + 701)
    assert names == ["HandoffAtRisk"]
    _, names, events = told(memory, TimePassed(), NOW + 4_000, RiskRules(open_too_long_seconds=3_600))
    assert (names, events[0].reason) == (["HandoffAtRisk"], "open_too_long")


@pytest.mark.parametrize("looked_after", [10, 400], ids=["before the link expires", "after it"])
def test_a_grant_that_was_recorded_before_its_handoff_was_seen_expires_like_any_other(looked_after):
    memory, names, _ = told(NEW, GrantRecorded("mh_1", "op", NOW + 300, "c"))
    memory, _, _ = told(memory, GrantRecorded("mh_1", "op", NOW + 200, "c"))
    assert names == ["HandoffAccessGranted"]
    memory = AuthorizationState.decode(memory.encode())
    memory, names, _ = told(memory, look(1, pointer="mh_1", handoffs=[handoff()]), NOW + looked_after)
    assert names[:2] == ["HandoffOpened", "AuthorizationChanged"]
    if looked_after < 300:
        assert told(memory, TimePassed(), NOW + 299)[1] == []
        memory, names, _ = told(memory, TimePassed(), NOW + 300)
    assert names[-1] == "HandoffAtRisk"
    assert memory.early_grant is None
    assert told(memory, TimePassed(), NOW + 500)[1] == []


def test_a_grant_is_kept_for_one_handoff_that_was_not_seen_yet_and_for_none_that_has_ended():
    memory, _, _ = told(NEW, GrantRecorded("mh_0", "op", NOW + 300, "c"))
    memory, _, _ = told(memory, GrantRecorded("mh_1", "op", NOW + 200, "c"))
    assert memory.early_grant.handoff_id == "mh_1"
    memory, names, _ = told(memory, look(1, pointer="mh_2", handoffs=[handoff(handoff_id="mh_2")]), NOW + 400)
    assert "HandoffAtRisk" not in names
    end = look(2, "processing", handoffs=[handoff("closed", "mh_2", 2, result="revoked")])
    memory, _, _ = told(memory, end)
    memory, _, _ = told(memory, GrantRecorded("mh_2", "op", NOW + 900, "c"))
    assert memory.early_grant.handoff_id == "mh_1"


@pytest.mark.parametrize(
    ("opened_ago", "at_risk_after"),
    [
        pytest.param(10 * HOUR, 0.0, id="another actor's, open for long before the first look"),
        pytest.param(3 * HOUR, HOUR, id="open for a while before it"),
        pytest.param(-HOUR, 4 * HOUR, id="Collate's clock is ahead of ours: from our first look on"),
        pytest.param(None, 4 * HOUR, id="Collate doesn't say: likewise"),
    ],
)
def test_a_handoff_is_open_for_too_long_by_the_time_that_collate_opened_it(opened_ago, at_risk_after):
    opened_at = None if opened_ago is None else datetime.fromtimestamp(NOW - opened_ago, UTC)
    sight = look(1, pointer="mh_1", handoffs=[handoff(activated_at=opened_at)])
    memory, names, _ = told(NEW, sight)
    assert names[:2] == ["HandoffOpened", "AuthorizationChanged"]
    if at_risk_after:
        assert names[2:] == []
        memory, names, _ = told(memory, TimePassed(), NOW + at_risk_after - 1)
        assert names == []
        memory, names, _ = told(memory, TimePassed(), NOW + at_risk_after)
    assert names[-1] == "HandoffAtRisk"
    assert told(memory, TimePassed(), NOW + 9 * HOUR)[1] == []


def test_a_handoff_that_is_only_offered_is_at_no_risk():
    created_at = datetime.fromtimestamp(NOW - 10 * HOUR, UTC)
    memory, names, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff("offered", created_at=created_at)]))
    assert names == ["AuthorizationChanged"]
    _, names, _ = told(memory, look(2, pointer="mh_1", handoffs=[handoff(version=2, created_at=created_at)]))
    assert names == ["HandoffOpened", "HandoffAtRisk"]


def test_a_handoff_in_the_place_of_another_ends_the_other():
    memory, _, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff()]))
    memory, names, events = told(memory, look(7, pointer="mh_2", handoffs=[handoff(handoff_id="mh_2")]))
    assert names == ["HandoffClosed", "HandoffReconciled", "HandoffOpened"]
    assert (events[0].result, events[0].by) == ("unrecognised", "other")


def test_words_of_a_newer_collate_are_passed_on_not_guessed():
    memory, names, events = told(NEW, look(1, "paused", action=None))
    assert names == ["AuthorizationChanged"]
    assert events[0].to_status == "paused"
    assert memory.emitted_action is None


def our_close(memory, version=2):
    answer = {"manualHandoffId": "mh_1", "state": "closed", "result": "completed_reported"}
    answer |= {"authorization": {"id": "auth_1", "version": version, "status": "processing"}}
    closer = Closer(caused_by=CommandRef(command_id="c"), operation="complete", reported="submitted")
    return told(memory, CloseAnswered(CloseAnswer.model_validate(answer), closer))


def test_a_replica_that_has_not_heard_of_our_close_tells_nothing():
    memory, _, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff()]))
    memory, names, _ = our_close(memory)
    assert names == ["HandoffClosed", "AuthorizationChanged"]
    for old in (look(1), look(1, pointer="mh_1", handoffs=[handoff()]), look(1, "completed", outcome="approved")):
        assert told(memory, old) == (memory, [], [])


def test_a_receipt_that_was_there_before_the_handoff_says_nothing_about_its_report():
    receipt = {"submission": {"payerReceipt": {"referenceNumber": "r"}}}
    memory, _, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff()], **receipt))
    memory, _, _ = our_close(memory)
    _, names, events = told(memory, look(3, "waiting_on_payer", **receipt))
    assert names == ["AuthorizationChanged", "HandoffReconciled"]
    assert (events[-1].reported, events[-1].agreement) == ("submitted", "undetermined")
    first, _, _ = told(NEW, look(1, pointer="mh_1", handoffs=[handoff()]))
    first, _, _ = our_close(first)
    assert told(first, look(3, "waiting_on_payer", **receipt))[2][-1].agreement == "agrees"


def test_a_fact_that_the_reducer_does_not_know_is_an_error_and_no_silence():
    with pytest.raises(AssertionError, match="unreachable"):
        reduce(NEW, object(), NOW)
