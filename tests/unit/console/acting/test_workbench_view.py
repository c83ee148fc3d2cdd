"""The step of a manual handoff, and what the workbench shows of it."""

import re
from datetime import UTC, datetime

import pytest

from console.page import TEMPLATES
from console.views.freshness import Freshness, FreshnessState
from console.views.workbench.bench import workbench
from console.views.workbench.report import RefusedPart, close_result, typed_report
from console.views.workbench.sources import chosen
from console.views.workbench.step import WorkStep, step_of
from schemas.commands import UNABLE_REASONS
from schemas.enums import ReportedOutcome

NOW = datetime(2026, 6, 2, 14, 20, tzinfo=UTC)
CLEAR = {
    "authorizationId": "auth_1",
    "sequence": 5,
    "version": 23,
    "status": "processing",
    "receiptSeen": False,
    "decisionSeen": False,
    "watchedSince": "2026-06-02T14:00:00Z",
    "updatedAt": "2026-06-02T14:10:00Z",
}
NEEDED = CLEAR | {
    "status": "requires_action",
    "nextAction": "complete_payer_interaction",
    "resolution": "manual_handoff",
    "coversReviewSnapshotId": "rev_90",
    "actionRequiredAt": "2026-06-02T14:01:00Z",
}
ACTIVE = {"id": "mhand_55", "state": "active", "accessAvailable": True, "finalSubmitCapable": True}
LAST = {"id": "mhand_55", "result": "completed_reported", "reported": "submitted", "reportedBy": "jo.miller"}
REQUEST, CLOSE = "collate-gateway.handoff.request.v1", "collate-gateway.handoff.close.v1"


def command(kind=REQUEST, status="waiting", **more):
    return {"commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10", "type": kind, "status": status} | more


def entry(kind, **data):
    return {"at": "2026-06-02T14:06:00Z", "kind": kind, "says": "…", "data": {"handoffId": "mhand_55"} | data}


FRESH = Freshness(FreshnessState.FRESH, 0, "2026-06-02T14:19:59Z")
SILENT = Freshness(FreshnessState.SILENT, 0, "2026-06-02T14:15:00Z")


def bench(authorization=NEEDED, commands=(), timeline=(), person="jo.miller"):
    return workbench(chosen(authorization, None, FRESH), list(commands), list(timeline), person=person, now=NOW)


@pytest.mark.parametrize(
    ("authorization", "commands", "step"),
    [
        (NEEDED, [], WorkStep.REVIEW),
        ({**NEEDED, "coversReviewSnapshotId": None}, [], WorkStep.OPEN),
        (NEEDED, [command()], WorkStep.OPENING),
        (NEEDED, [command(status="finished")], WorkStep.REVIEW),
        (NEEDED, [command(status="dead_lettered")], WorkStep.REVIEW),
        (NEEDED | {"activeHandoff": ACTIVE}, [], WorkStep.SESSION),
        (NEEDED | {"activeHandoff": ACTIVE}, [command()], WorkStep.SESSION),
        (NEEDED | {"activeHandoff": ACTIVE}, [command(CLOSE)], WorkStep.CLOSING),
        (NEEDED | {"activeHandoff": ACTIVE}, [command(CLOSE, handoffId="mhand_1")], WorkStep.SESSION),
        (NEEDED | {"activeHandoff": ACTIVE | {"state": "closing"}}, [], WorkStep.CLOSING),
        (CLEAR | {"lastHandoff": LAST}, [], WorkStep.TRUTH),
        (CLEAR | {"lastHandoff": LAST | {"agreement": "agrees"}}, [], WorkStep.WAIT),
        (NEEDED | {"lastHandoff": LAST | {"agreement": "contradicts"}}, [], WorkStep.REVIEW),
        (NEEDED | {"nextAction": "approve_submission", "resolution": "confirm"}, [], WorkStep.OTHER_ACTION),
        (NEEDED | {"resolution": "another"}, [], WorkStep.OTHER_ACTION),
        (CLEAR, [], WorkStep.WAIT),
        (CLEAR | {"status": "waiting_on_payer"}, [], WorkStep.WAIT),
        (CLEAR | {"status": "completed"}, [], WorkStep.SETTLED),
        (CLEAR | {"status": "a_new_word"}, [], WorkStep.WAIT),
    ],
)
def test_the_step_follows_from_what_collate_allows(authorization, commands, step):
    assert step_of(chosen(authorization, None, FRESH), commands) is step


def test_the_newest_link_counts_and_ends_an_older_risk():
    timeline = [
        entry("handoff.access_granted", operator="jo.miller", expiresAt="2026-06-02T14:21:00Z"),
        entry("handoff.at_risk", reason="not_entered", endsAt="2026-06-02T14:30:00Z"),
        entry("handoff.access_granted", operator="sam.lee", expiresAt="2026-06-02T14:10:00Z"),
        entry("handoff.opened", acceptedBy="jo.miller"),
    ]
    handoff = bench(NEEDED | {"activeHandoff": ACTIVE}, timeline=timeline).handoff
    assert (handoff.link, handoff.link_is_over, handoff.risk) == (timeline[0]["data"], False, None)
    assert handoff.opened == timeline[3]["data"]


def test_a_newer_risk_is_shown_and_events_of_another_handoff_are_not():
    timeline = [
        entry("handoff.at_risk", reason="grant_expired", endsAt="2026-06-02T14:30:00Z"),
        entry("handoff.access_granted", operator="jo.miller", expiresAt="2026-06-02T14:15:00Z"),
        entry("handoff.at_risk", reason="not_entered", handoffId="mhand_1"),
    ]
    handoff = bench(NEEDED | {"activeHandoff": ACTIVE}, timeline=timeline).handoff
    assert (handoff.risk, handoff.link_is_over) == (timeline[0]["data"], True)


TYPED = {"reason": "channel_outage", "why": "Wrong case.", "reference": "R-1"}
RESULTS = {one.value: "reference" for one in ReportedOutcome} | {"unable_to_complete": "reason", "revoked": "why"}
# Every result with every field that it has no place for: nothing that a person typed is dropped.
CONTRADICTIONS = [
    ({"result": result, own: TYPED[own], other: TYPED[other]}, RefusedPart(other, contradicts=True))
    for result, own in RESULTS.items()
    for other in TYPED
    if other != own
]


@pytest.mark.parametrize(
    ("form", "result"),
    [
        ({"result": "submitted"}, {"type": "completed", "reportedOutcome": "submitted"}),
        (
            {"result": "decision_observed", "reference": " R-1 ", "notes": "Seen."},
            {
                "type": "completed",
                "reportedOutcome": "decision_observed",
                "observedReferenceNumber": "R-1",
                "operatorNotes": "Seen.",
            },
        ),
        (
            {"result": "unable_to_complete", "reason": "channel_outage"},
            {"type": "unable_to_complete", "reason": "channel_outage"},
        ),
        ({"result": "revoked", "why": "Wrong case."}, {"type": "revoked", "reason": "Wrong case."}),
        ({}, RefusedPart("result")),
        ({"result": "other"}, RefusedPart("result")),
        ({"result": "unable_to_complete"}, RefusedPart("reason")),
        ({"result": "revoked"}, RefusedPart("why")),
        *CONTRADICTIONS,
    ],
)
def test_a_typed_report_becomes_the_result_of_a_close(form, result):
    assert close_result(typed_report(form)) == result


LIVE = {name: value for name, value in NEEDED.items() if name not in {"sequence", "watchedSince", "updatedAt"}}
LIVE |= {"at": "2026-06-02T14:19:58Z", "isHandoffOpen": False}
LIVE_OPEN = LIVE | {"isHandoffOpen": True, "activeHandoffId": "mhand_55", "handoff": ACTIVE}
CLAIM = {"by": "sam.lee", "caller": "people:sam.lee", "since": "2026-06-02T14:10:00Z"}


@pytest.mark.parametrize(
    ("record", "live", "step", "is_live"),
    [
        (None, LIVE, WorkStep.REVIEW, True),
        (None, LIVE_OPEN, WorkStep.SESSION, True),
        (NEEDED, LIVE_OPEN, WorkStep.SESSION, True),
        (NEEDED | {"activeHandoff": ACTIVE}, LIVE, WorkStep.REVIEW, True),
        (NEEDED | {"version": 24}, LIVE_OPEN, WorkStep.REVIEW, False),
        (NEEDED | {"activeHandoff": ACTIVE, "updatedAt": "2026-06-02T14:19:59Z"}, LIVE, WorkStep.SESSION, False),
        (NEEDED, LIVE | {"version": 24, "status": "processing"}, WorkStep.WAIT, True),
        (None, LIVE | {"isHandoffOpen": True}, WorkStep.UNNAMED, True),
        (None, LIVE_OPEN | {"handoff": ACTIVE | {"state": "closing"}}, WorkStep.CLOSING, True),
        (None, LIVE_OPEN | {"handoff": ACTIVE | {"state": "closed"}}, WorkStep.REVIEW, True),
        (None, LIVE | {"status": "completed"}, WorkStep.SETTLED, True),
    ],
)
def test_the_newer_of_the_record_and_the_live_read_is_shown(record, live, step, is_live):
    found = chosen(record, live, SILENT)
    assert (step_of(found, []), found.as_of.is_live) == (step, is_live)
    assert found.as_of.at == (live["at"] if is_live else found.known_as_of.at)
    assert (found.known_as_of is None) is (record is None)


def test_a_live_read_keeps_what_only_the_read_model_knows_of_the_same_handoff():
    record = NEEDED | {"activeHandoff": ACTIVE | {"claim": CLAIM, "accessAvailable": False}}
    shown = workbench(chosen(record, LIVE_OPEN, SILENT), [], [], person="jo.miller", now=NOW)
    assert (shown.handoff.active["claim"], shown.handoff.active["accessAvailable"]) == (CLAIM, True)
    assert (shown.known_as_of.at, shown.known_as_of.late) == ("2026-06-02T14:15:00Z", SILENT)
    other = chosen(record, LIVE_OPEN | {"handoff": ACTIVE | {"id": "mhand_56"}}, SILENT)
    assert "claim" not in other.authorization["activeHandoff"]


@pytest.mark.parametrize(
    ("freshness", "at", "is_late"),
    [
        (FRESH, "2026-06-02T14:19:59Z", False),
        (SILENT, "2026-06-02T14:15:00Z", True),
        # With unread records, only the time of the last change is certain.
        (Freshness(FreshnessState.BEHIND, 2_000, "2026-06-02T14:19:59Z"), "2026-06-02T14:10:00Z", True),
        (Freshness(FreshnessState.UNKNOWN), "2026-06-02T14:10:00Z", True),
    ],
)
def test_the_record_is_as_of_a_time_at_which_it_was_certainly_true(freshness, at, is_late):
    found = chosen(NEEDED, None, freshness)
    assert (found.as_of.at, found.as_of.late is not None) == (at, is_late)


def test_the_report_offers_each_result_and_each_reason_of_collate():
    offered = set(re.findall(r'^ +\("(\w+)", "', (TEMPLATES / "workbench" / "report.html").read_text(), re.MULTILINE))
    assert offered == {*ReportedOutcome, *UNABLE_REASONS}


OPENED = entry("handoff.opened", requestedBy="jo.miller")
REVIEWED = entry("handoff.opened", requestedBy="jo.miller", acceptedBy="jo.miller")
CLOSING = CLEAR | {"activeHandoff": ACTIVE | {"state": "closing"}}
ENDED = CLEAR | {"status": "waiting_on_payer"}


@pytest.mark.parametrize(
    ("authorization", "commands", "timeline", "done"),
    [
        (NEEDED, [], [], set()),
        ({**NEEDED, "coversReviewSnapshotId": None}, [], [REVIEWED], set()),
        (NEEDED, [command()], [], {1}),
        (CLEAR | {"activeHandoff": ACTIVE}, [], [REVIEWED], {1, 2}),
        (CLEAR | {"activeHandoff": ACTIVE}, [], [OPENED], {2}),
        (CLEAR | {"activeHandoff": ACTIVE | {"id": "mhand_56"}}, [], [REVIEWED], {2}),
        (CLOSING, [], [OPENED], {2, 3, 4}),
        (ENDED | {"lastHandoff": LAST | {"by": "us"}}, [], [REVIEWED], {1, 2, 3, 4}),
        (ENDED | {"lastHandoff": LAST | {"by": "expiry", "reported": None}}, [], [OPENED], {2, 3}),
    ],
)
def test_only_a_step_that_a_person_did_is_done(authorization, commands, timeline, done):
    found = {name: value for name, value in authorization.items() if value is not None}
    assert bench(found, commands, timeline).done == done
