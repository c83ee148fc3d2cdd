"""What a row of the work list asks of a person."""

from cli.lists.work import needs_text

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


def test_what_a_person_must_do_follows_from_the_record():
    assert needs_text(TO_DO) == "complete_payer_interaction, review rev_90 first"
    assert needs_text(OPEN) == "finish the handoff"
    assert needs_text(WRONG) == "submitted contradicts the payer"
