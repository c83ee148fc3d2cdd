"""The decision table: every combination gets exactly one answer, every row decides something, Collate's rules hold."""

import itertools
from functools import cache
from pathlib import Path

import pytest

from consumers.applier.decide import TABLE, AlreadyDone, Follow, Hold, Reject, Write, decide, deciding_row
from consumers.applier.decide_page import page
from consumers.applier.reasons import WAITING, DeathCause, Reason
from consumers.applier.situation import situation
from consumers.engine import Wait
from consumers.memory.facts import Looked
from consumers.memory.look import NotThere
from consumers.memory.memory import FRESH, Asked, Closer, Handoff, Known, Memory
from schemas.collate import ManualHandoff, PriorAuthorization
from schemas.commands import AuthorizationWatch, Completed, HandoffClose, HandoffRequest, Revoked, UnableToComplete
from schemas.vocabulary import ReportedOutcome

ROOT = Path(__file__).parents[3]
STATUSES = ["requires_action", "processing", "waiting_on_payer", "completed", "canceled", "new_word"]
ACTIONS = [
    None,
    "resolve_requirements",
    "continue_authorization",
    "approve_submission",
    "complete_payer_interaction",
    "new",
]
KINDS = [None, "manual_handoff", "confirm", "new"]
STATES = [None, "offered", "active", "closing", "closed", "new"]
RESULTS = [
    None,
    "completed_reported",
    "unable_to_complete",
    "revoked",
    "expired",
    "interaction_lost_unrecoverable",
    "canceled",
    "new",
]
SUBMITTED = Completed(reported_outcome=ReportedOutcome.SUBMITTED)


def authorization(status="requires_action", action="complete_payer_interaction", kind=None, version=5, **more):
    wire = {"id": "auth_1", "version": version, "status": status}
    if action:
        wire["nextAction"] = {"type": action}
        if kind:
            wire["nextAction"]["resolution"] = {"kind": kind}
        if covers := more.get("covers"):
            wire["nextAction"]["covers"] = {"reviewSnapshotId": covers}
    if snapshot := more.get("snapshot"):
        wire["submission"] = {"reviewSnapshot": snapshot}
    if pointer := more.get("pointer"):
        wire["activeManualHandoff"] = {"id": pointer}
    return PriorAuthorization.model_validate(wire)


def handoff(state="active", result=None, handoff_id="mh_1", owner="auth_1"):
    return ManualHandoff(id=handoff_id, version=1, state=state, result=result, prior_authorization_id=owner)


def known_handoff(state="active", **more):
    return Handoff(id="mh_1", state=state, seen_at=1.0, open_version=4, **more)


def closed_by_us(operation="complete", reported="submitted", reason=None, result="completed_reported"):
    closer = Closer(asked=Asked(command_id="c"), operation=operation, reported=reported, reason=reason)
    return known_handoff("closed", result=result, by="us", reported=reported, closer=closer)


def decided(asking, seen, memory=FRESH, *, doubt=True):
    return decide(situation(asking, seen, memory, doubt=doubt))


def close(result=SUBMITTED, handoff_id="mh_1"):
    return HandoffClose(handoff_id=handoff_id, result=result)


MEMORIES = [
    FRESH,
    Memory(floor=9, known=Known(version=9, status="processing")),
    Memory(floor=5, known=Known(version=5, status="processing"), active=known_handoff()),
    Memory(floor=5, known=Known(version=5, status="processing"), active=known_handoff("closing")),
    Memory(floor=5, known=Known(version=5, status="processing"), last=closed_by_us(), ended=("mh_1",)),
    Memory(
        floor=5,
        known=Known(version=5, status="requires_action"),
        last=closed_by_us().but(open_version=5),
        ended=("mh_1",),
    ),
]


_authorization, _handoff = cache(authorization), cache(handoff)


def everything():
    askings = [HandoffRequest(), HandoffRequest(accepted_review_snapshot_id="rev_1"), AuthorizationWatch()]
    askings += [close(), close(UnableToComplete(reason="other")), close(Revoked(reason="r"))]
    for asking, memory, doubt in itertools.product(askings, MEMORIES, (True, False)):
        yield asking, NotThere(), memory, doubt
        for status, action, kind in itertools.product(STATUSES, ACTIONS, KINDS):
            for covers, pointer in itertools.product((None, "rev_1", "rev_2"), (None, "mh_1")):
                found = _authorization(status, action, kind, covers=covers, pointer=pointer)
                yield asking, Looked(found), memory, doubt
        for status, state, result, pointer in itertools.product(STATUSES, STATES[1:], RESULTS, (None, "mh_1")):
            seen = Looked(_authorization(status, pointer=pointer), (_handoff(state, result),))
            yield asking, seen, memory, doubt


def test_every_combination_has_an_answer_and_every_row_decides_something():
    used, total = set(), 0
    for asking, seen, memory, doubt in everything():
        now = situation(asking, seen, memory, doubt=doubt)
        row = deciding_row(now)
        used.add(id(row))
        total += 1
        answer = decide(now)
        if isinstance(answer, Write):
            check_safety(asking, seen, memory)
    assert total > 20_000
    seldom = {"the accepted review snapshot isn't the covered, current one"}
    missed = {row.when for rows in TABLE.values() for row in rows if id(row) not in used} - seldom
    assert missed == set()


def check_safety(asking, seen, memory):
    found = seen.authorization
    assert found.version >= memory.floor
    assert found.status not in {"completed", "canceled"}
    if isinstance(asking, HandoffRequest):
        assert found.status == "requires_action"
        assert found.next_action.type == "complete_payer_interaction"
        assert found.next_action.resolution is None or found.next_action.resolution.kind == "manual_handoff"
        assert found.covers_review_snapshot_id == asking.accepted_review_snapshot_id
        assert found.active_handoff_id is None or found.active_handoff_id in memory.ended or seen.handoffs
    else:
        assert not any(one.state in {"closing", "closed"} for one in seen.handoffs)


def test_the_published_table_is_current():
    assert (ROOT / "docs" / "decide.md").read_text() == page(), (
        "run: python -m consumers.applier.decide_page > docs/decide.md"
    )


def test_reasons_have_one_sentence_of_advice():
    for word in (*Reason, *DeathCause):
        assert word.advice.endswith(".")
        assert len(word.advice) < 160
        assert word.value.replace("_", "").isalpha()
    untold = {Wait.HANDLER_HUNG, Wait.TOO_LARGE, Wait.MEMORY_UNREADABLE}
    assert set(WAITING) == set(Wait) - untold


# Collate's own safety rules (collate-api.md section 6)


def test_no_handoff_during_processing():
    assert decided(HandoffRequest(), Looked(authorization("processing"))) == Reject(Reason.AUTHORIZATION_PROCESSING)


def test_no_review_backed_handoff_without_the_accepted_current_snapshot():
    covering = authorization(covers="rev_1", snapshot={"id": "rev_1", "status": "current"})
    stale = authorization(covers="rev_1", snapshot={"id": "rev_1", "status": "superseded"})
    assert decided(HandoffRequest(), Looked(covering)) == Reject(Reason.REVIEW_SNAPSHOT_REQUIRED)
    for wrong, seen in (("rev_0", covering), ("rev_1", stale), ("rev_1", authorization())):
        answer = decided(HandoffRequest(accepted_review_snapshot_id=wrong), Looked(seen))
        assert answer == Reject(Reason.REVIEW_SNAPSHOT_STALE)
    assert decided(HandoffRequest(accepted_review_snapshot_id="rev_1"), Looked(covering)) == Write()
    uncovered = authorization(snapshot={"id": "rev_1", "status": "current"})
    assert decided(HandoffRequest(accepted_review_snapshot_id="rev_1"), Looked(uncovered)) == Write()


def test_no_request_while_a_handoff_is_active_or_ending():
    active = Looked(authorization(pointer="mh_1"), (handoff(),))
    assert decided(HandoffRequest(), active) == AlreadyDone("mh_1")
    assert decided(HandoffRequest(), Looked(authorization(pointer="mh_1"), (handoff("closing"),))) == Hold(Wait.CLOSING)
    assert decided(HandoffRequest(), Looked(authorization(pointer="mh_1"), (), ("mh_1",))) == AlreadyDone("mh_1")


def test_a_handoff_that_we_know_to_be_open_counts_though_a_lagging_read_does_not_show_it():
    memory = Memory(floor=5, active=known_handoff())
    assert decided(HandoffRequest(), Looked(authorization(), (handoff(),)), memory) == AlreadyDone("mh_1")
    assert decided(HandoffRequest(), Looked(authorization(), (handoff("closed", "expired"),)), memory) == Write()


@pytest.mark.parametrize("asking", [HandoffRequest(), close(), AuthorizationWatch()])
def test_an_old_read_is_never_decided_on(asking):
    memory = Memory(floor=6, known=Known(version=6, status="processing"))
    assert decided(asking, Looked(authorization()), memory) == Hold(Wait.STALE_READ)
    assert decided(asking, NotThere(), memory) == Hold(Wait.STALE_READ)
    assert decided(asking, NotThere(), memory, doubt=False).reason is Reason.AUTHORIZATION_NOT_FOUND
    assert decided(asking, NotThere()).reason is Reason.AUTHORIZATION_NOT_FOUND


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("expired", Reason.HANDOFF_EXPIRED),
        ("interaction_lost_unrecoverable", Reason.HANDOFF_LOST),
        ("canceled", Reason.HANDOFF_CANCELED),
        ("revoked", Reason.HANDOFF_REVOKED),
        ("unable_to_complete", Reason.HANDOFF_REPORTED_UNABLE),
        ("completed_reported", Reason.HANDOFF_REPORTED_COMPLETED),
        ("brand_new", Reason.HANDOFF_CLOSED),
        (None, Reason.HANDOFF_CLOSED),
    ],
)
def test_a_close_after_the_end_is_told_how_it_ended(result, reason):
    seen = Looked(authorization("processing", None), (handoff("closed", result),))
    assert decided(close(), seen) == Reject(reason, "mh_1")


def test_the_same_report_again_is_done_and_another_one_is_not():
    memory = Memory(floor=5, last=closed_by_us(), ended=("mh_1",))
    seen = Looked(authorization("processing", None), (handoff("closed", "completed_reported"),))
    assert decided(close(), seen, memory) == AlreadyDone("mh_1")
    other = close(Completed(reported_outcome=ReportedOutcome.DECISION_OBSERVED))
    assert decided(other, seen, memory) == Reject(Reason.HANDOFF_REPORTED_COMPLETED, "mh_1")
    revoked = Looked(authorization("processing", None), (handoff("closed", "revoked"),))
    assert decided(close(Revoked(reason="r")), revoked) == AlreadyDone("mh_1")


def test_a_close_of_a_handoff_of_another_authorization_is_not_found():
    seen = Looked(authorization(), (handoff(owner="auth_2"),))
    assert decided(close(), seen) == Reject(Reason.HANDOFF_NOT_FOUND, "mh_1")


def test_a_close_before_the_opening_is_seen_waits_only_for_what_we_know():
    seen = Looked(authorization(), (), ("mh_1",))
    assert decided(close(), seen) == Reject(Reason.HANDOFF_NOT_FOUND, "mh_1")
    assert decided(close(), seen, Memory(floor=5, active=known_handoff())) == Hold(Wait.STALE_READ)


@pytest.mark.parametrize("state", ["offered", "active", "brand_new"])
def test_an_open_handoff_is_closed(state):
    assert decided(close(), Looked(authorization(), (handoff(state),))) == Write("mh_1")


def test_a_watch_is_applied_or_done():
    assert decided(AuthorizationWatch(), Looked(authorization())) == Follow()
    assert decided(AuthorizationWatch(), Looked(authorization("completed"))) == AlreadyDone()
