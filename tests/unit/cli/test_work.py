"""The layout of the work list."""

import io

import pytest
from rich.console import Console

from cli.lists.work import WORK, needs_text

NOW = "2026-06-02T14:40:00Z"
TO_DO = {
    "authorizationId": "auth_1",
    "waitingSince": "2026-06-02T14:09:00Z",
    "actionRequiredAt": "2026-06-02T14:09:00Z",
    "payerId": "payer_example",
    "dueAt": "2026-06-07T14:40:00Z",
    "nextAction": "complete_payer_interaction",
    "coversReviewSnapshotId": "rev_90",
}
OPEN = {
    "authorizationId": "auth_2",
    "waitingSince": "2026-06-02T14:10:00Z",
    "dueAt": "2026-06-02T11:40:00Z",
    "handoff": {
        "handoffId": "mhand_55",
        "lastGrant": {"operator": "jo.miller", "expiresAt": "2026-06-02T14:45:00Z"},
        "request": {"caller": "desk", "requestedBy": "sam"},
        "risk": {"reason": "open_too_long"},
    },
}
WRONG = {
    "authorizationId": "auth_3",
    "waitingSince": "2026-06-02T14:10:00Z",
    "lastHandoff": {"agreement": "contradicts", "reported": "submitted"},
}


@pytest.mark.parametrize("width", [80, 200])
def test_a_row_says_how_long_it_waits_for_what_and_who_has_it(width):
    page = io.StringIO()
    Console(file=page, width=width).print(WORK.columns.layout([TO_DO, OPEN], NOW, width))
    text = page.getvalue()
    for part in (
        "auth_1",
        "31 min",
        "payer_example",
        "rev_90",
        "mhand_55",
        "jo.miller",
        "open_too_long",
        "in 5 d",
        "overdue 3 h",
    ):
        assert part in text
    assert "sam" not in text, "the operator who got in last has it, not the person who requested it"


def test_what_a_person_must_do_follows_from_the_record():
    assert needs_text(TO_DO) == "complete_payer_interaction, review rev_90 first"
    assert needs_text(OPEN) == "finish the handoff"
    assert needs_text(WRONG) == "submitted contradicts the payer"
