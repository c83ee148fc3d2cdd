"""Dead letters as pages show them."""

import pytest

from console.forecast import Forecast, forecast_of_discard
from console.views.dead_letters import dead_letter_view, shown_forecast

from .test_dead_letter_pages import DETAIL

WATCH = "collate-gateway.authorization.watch.v1"


@pytest.mark.parametrize(
    ("verdict", "command", "kind", "reason"),
    [
        ("write", None, "write", None),
        ("write", WATCH, "watch", None),
        ("already_done", None, "already_done", None),
        ("rejected:review_snapshot_stale", None, "rejected", "review_snapshot_stale"),
        ("waiting:closing", None, "waiting", "closing"),
        ("resend,already_done", None, "resend", "already_done"),
        ("resend,rejected:handoff_closed", None, "resend", "rejected:handoff_closed"),
        ("expired", None, "expired", None),
    ],
)
def test_a_forecast_has_a_kind_for_the_button(verdict, command, kind, reason):
    shown = shown_forecast(Forecast(verdict, "A sentence."), command)
    assert (shown.kind, shown.reason, shown.sentence) == (kind, reason, "A sentence.")


def test_a_detail_without_the_situation_has_no_forecast_of_a_redrive():
    shown = dead_letter_view(DETAIL, None, None, forecast_of_discard(DETAIL))
    assert (shown.redrive, shown.situation, shown.may_have_arrived) == (None, None, True)
    assert "check Collate first" in shown.discard.sentence


def test_a_situation_is_flat_and_has_the_handoff():
    situation = {"commandId": "x", "at": "2026-06-02T15:00:00Z", "authorizationId": "auth_1", "version": 7}
    situation |= {"status": "processing", "handoff": {"id": "mhand_1", "state": "closed"}}
    shown = dead_letter_view(DETAIL, situation, Forecast("already_done", "S."), Forecast("discarded", "D."))
    assert [name for name, _ in shown.situation.rows] == ["version", "status", "handoff id", "handoff state"]
