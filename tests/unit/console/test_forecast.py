"""A forecast equals the worker's own decision."""

from datetime import UTC, datetime, timedelta

import pytest

from console.forecast import forecast, forecast_without_situation

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
ASKS = {"acceptedReviewSnapshotId": "rev_90"}
REQUEST = "collate-gateway.handoff.request.v1"
CLOSE = "collate-gateway.handoff.close.v1"
WATCH = "collate-gateway.authorization.watch.v1"
WANTED = {
    "authorizationId": "auth_1",
    "version": 7,
    "status": "requires_action",
    "nextAction": "complete_payer_interaction",
    "coversReviewSnapshotId": "rev_90",
    "reviewSnapshotId": "rev_90",
    "reviewSnapshotStatus": "current",
}
OPEN = WANTED | {"activeHandoffId": "mhand_1", "handoff": {"id": "mhand_1", "state": "active", "version": 2}}


def ago(**parts):
    return (NOW - timedelta(**parts)).isoformat()[:-6] + "Z"


def dead_letter(command=REQUEST, asks=ASKS, sent=(), accepted_at=None):
    known = {
        "authorizationId": "auth_1",
        "command": command,
        "asks": asks,
        "sent": list(sent),
        "acceptedAt": accepted_at or ago(minutes=5),
    }
    return known | {"canRedrive": asks is not None}


def write(**changes):
    return {"n": 1, "operation": "create", "mayHaveArrived": True, "firstSentAt": ago(minutes=4)} | changes


def closing(kind="completed", **more):
    return {"handoffId": "mhand_1", "result": {"type": kind} | more}


@pytest.mark.parametrize(
    ("dead", "now", "verdict"),
    [
        (dead_letter(), WANTED, "write"),
        (dead_letter(), OPEN, "already_done"),
        (dead_letter(), WANTED | {"status": "processing"}, "rejected:authorization_processing"),
        (dead_letter(), WANTED | {"coversReviewSnapshotId": "rev_91"}, "rejected:review_snapshot_stale"),
        (dead_letter(asks={}), WANTED, "rejected:review_snapshot_required"),
        (dead_letter(), None, "rejected:authorization_not_found"),
        (dead_letter(accepted_at=ago(hours=2)), WANTED, "expired"),
        (dead_letter(asks=ASKS | {"expiresAt": ago(minutes=1)}), WANTED, "expired"),
        (dead_letter(sent=[write()], accepted_at=ago(hours=2)), WANTED, "resend,write"),
        (dead_letter(sent=[write(firstSentAt=ago(hours=30))]), WANTED, "write"),
        (dead_letter(sent=[write(ended="same_fault")]), OPEN, "already_done"),
        (dead_letter(sent=[write(ended="bad_request", mayHaveArrived=False)]), WANTED, "write"),
        (dead_letter(CLOSE, closing(reportedOutcome="submitted")), OPEN, "write"),
        (dead_letter(CLOSE, closing("revoked")), OPEN, "write"),
        (dead_letter(CLOSE, closing("unable_to_complete", reason="other")), WANTED, "rejected:handoff_not_found"),
        (
            dead_letter(CLOSE, closing("revoked")),
            WANTED | {"handoff": {"id": "mhand_1", "state": "closed", "result": "revoked", "version": 3}},
            "already_done",
        ),
        (
            dead_letter(CLOSE, closing("revoked")),
            OPEN | {"handoff": {"id": "mhand_1", "state": "closing", "version": 3}},
            "waiting:closing",
        ),
        (dead_letter(WATCH, {}), WANTED, "write"),
        (dead_letter(asks=None), WANTED, "not_redrivable"),
        (dead_letter("collate-gateway.newer.v1"), WANTED, "not_redrivable"),
        (dead_letter() | {"canRedrive": False}, WANTED, "not_redrivable"),
    ],
)
def test_verdicts(dead, now, verdict):
    found = forecast(dead, now, NOW)
    assert found.verdict == verdict
    assert found.sentence.endswith(".")


def test_an_unreadable_and_an_expired_command_need_no_state_of_collate():
    dead_letters = (dead_letter(asks=None), dead_letter(accepted_at=ago(hours=2)), dead_letter())
    found = [forecast_without_situation(dead, NOW) for dead in dead_letters]
    assert [each and each.verdict for each in found] == ["not_redrivable", "expired", None]


def test_a_record_without_an_authorization_cannot_be_decided():
    dead = dead_letter(asks=None)
    del dead["authorizationId"]
    assert (
        forecast_without_situation(dead, NOW).sentence == "The record names no authorization: nothing can be decided."
    )


def test_the_forecast_warns_of_a_second_write():
    says = forecast(dead_letter(sent=[write(ended="not_resent")]), WANTED, NOW).sentence
    assert "once more, although the first may have had an effect" in says


def test_only_the_forecast_of_an_opening_warns_of_an_unnamed_handoff():
    assert "may name no handoff" in forecast(dead_letter(sent=[write(ended="not_resent")]), OPEN, NOW).sentence
    closed = WANTED | {"handoff": {"id": "mhand_1", "state": "closed", "result": "revoked", "version": 3}}
    revoked = dead_letter(CLOSE, closing("revoked"), sent=[write(operation="revoke", ended="not_resent")])
    assert "no handoff" not in forecast(revoked, closed, NOW).sentence
