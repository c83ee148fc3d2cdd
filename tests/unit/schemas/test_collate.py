"""Collate's wire models follow docs/collate-contract.md; a test's name gives the section."""

import json

import pytest
from pydantic import ValidationError

from schemas.api.messages import PayerEvidence
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.errors import ErrorEnvelope
from schemas.collate.handoff import AccessGrant, CloseAnswer, ManualHandoff
from schemas.collate.payer_evidence import AuthorizationEvidence

# An authorization by docs/collate-contract.md §3, reduced to the fields that a rule reads.
AUTHORIZATION = {
    "id": "auth_7Q2M",
    "version": 23,
    "status": "requires_action",
    "outcome": None,
    "policy": {"finalSubmission": "requires_approval"},
    "payer": {"id": "payer_example", "displayName": "Example Health"},
    "answers": {"item": [{"linkId": "coverage.memberId", "answer": [{"valueString": "TEST-0001"}]}]},
    "submission": {
        "reviewSnapshot": {"id": "rev_90", "status": "current", "kind": "final_payer_submission", "summary": {}},
        "payerReceipt": None,
        "decision": None,
    },
    "nextAction": {
        "type": "complete_payer_interaction",
        "resolution": {"kind": "manual_handoff"},
        "covers": {"priorAuthorizationVersion": 23, "reviewSnapshotId": "rev_90"},
    },
    "activeManualHandoff": None,
    "createdAt": "2026-06-02T13:00:00Z",
}
HANDOFF = {
    "id": "mhand_55",
    "version": 1,
    "priorAuthorizationId": "auth_7Q2M",
    "state": "active",
    "result": None,
    "accessAvailable": True,
    "finalSubmitCapable": True,
    "createdAt": "2026-06-02T14:06:00Z",
    "activatedAt": "2026-06-02T14:06:00Z",
    "closedAt": None,
    "message": None,
}


def authorization(**changes):
    return PriorAuthorization.from_wire(json.dumps(AUTHORIZATION | changes))


def test_patient_data_is_dropped():
    assert "TEST-0001" not in authorization().model_dump_json()
    submission = {"payerReceipt": {"referenceNumber": "REF-1"}, "decision": {"payerStatusText": "approved for Jane"}}
    read = authorization(submission=submission)
    assert read.receipt_seen
    assert read.decision_seen
    assert "REF-1" not in read.model_dump_json()
    assert "Jane" not in read.model_dump_json()


@pytest.mark.parametrize("absent", [{}, {"submission": None}, {"submission": {}}, {"nextAction": None}])
def test_optional_fields_may_be_absent(absent):
    read = PriorAuthorization.from_wire(json.dumps({"id": "a", "version": 1, "status": "processing"} | absent))
    assert read.next_action is None
    assert not read.receipt_seen
    assert read.review_snapshot is None


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ({"type": "complete_payer_interaction", "resolution": {"kind": "manual_handoff"}}, "manual_handoff"),
        ({"type": "approve_submission", "resolution": {"kind": "confirm"}}, "confirm"),
        # V2 has no resolution; V3 adds it.
        ({"type": "complete_payer_interaction"}, None),
        ({"type": "complete_payer_interaction", "resolution": "?"}, None),
    ],
)
def test_section_3_the_kind_of_resolution_is_optional(action, kind):
    read = authorization(nextAction=action).next_action
    assert read.type == action["type"]
    assert (read.resolution.kind if read.resolution else None) == kind


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ({"id": "mhand_55"}, "mhand_55"),
        ({"manualHandoffId": "mhand_55", "state": "active"}, "mhand_55"),
        ("mhand_55", "mhand_55"),
        (None, None),
        ({"id": None, "manualHandoffId": "mhand_55"}, None),
    ],
)
def test_section_11_the_handoff_pointer_may_have_several_shapes(pointer, found):
    assert authorization(activeManualHandoff=pointer).active_handoff_id == found


@pytest.mark.parametrize("pointer", [{}, {"id": ""}, {"id": 7}, {"session": "s"}, "two words", 7, [], True, False])
def test_section_10b_a_pointer_without_an_id_is_a_handoff_of_unknown_id(pointer):
    read = authorization(activeManualHandoff=pointer)
    assert read.active_manual_handoff is not None
    assert (read.active_handoff_id, read.unread_fields) == (None, ("activeManualHandoff.id",))
    assert authorization(activeManualHandoff={"id": "mhand_55"}).unread_fields == ()
    assert authorization().unread_fields == ()


def test_unknown_words_are_kept_and_free_text_is_not():
    assert authorization(status="awaiting_oracle").status == "awaiting_oracle"
    assert authorization(outcome="Denied, because Jane Roe").outcome == "unrecognised"


@pytest.mark.parametrize("settled", ["completed", "canceled"])
def test_section_4_terminal_states(settled):
    assert authorization(status=settled).is_settled


@pytest.mark.parametrize("broken", [{"id": "../x"}, {"version": None}, {"status": 5}, {"nextAction": {}}, {"id": ""}])
def test_fields_that_decisions_need_are_required(broken):
    with pytest.raises(ValidationError):
        authorization(**broken)


@pytest.mark.parametrize("doubtful", [None, "true", 1, "yes", {}])
def test_only_json_true_opens_a_gate(doubtful):
    read = ManualHandoff.from_wire(json.dumps(HANDOFF | {"accessAvailable": doubtful, "finalSubmitCapable": doubtful}))
    assert not read.access_available
    assert not read.final_submit_capable


def test_details_of_unknown_shape_are_dropped():
    read = ManualHandoff.from_wire(json.dumps(HANDOFF | {"createdAt": "soon", "closedAt": {}, "message": ["x"]}))
    assert read.created_at is None
    assert read.closed_at is None


def test_section_5_4_a_close_response_is_not_a_handoff():
    answer = {
        "manualHandoffId": "mhand_55",
        "state": "closed",
        "authorization": {"id": "auth_7Q2M", "version": 24, "status": "processing"},
        "result": "completed_reported",
        "reconciliation": {"id": "rec_1", "state": "pending"},
    }
    read = CloseAnswer.from_wire(json.dumps(answer))
    assert read.authorization.version == 24
    assert read.reconciliation.state == "pending"
    with pytest.raises(ValidationError):
        CloseAnswer.from_wire(json.dumps(HANDOFF))


def test_section_6_a_grant_needs_its_expiry():
    grant = {"id": "rag_1", "url": "https://api.example/runtime/access/rag_1"}
    assert AccessGrant.from_wire(json.dumps(grant | {"expiresAt": "2026-06-02T14:15:00"})).expires_at.tzinfo is not None
    for missing in ({}, {"expiresAt": None}, {"expiresAt": "soon"}):
        with pytest.raises(ValidationError):
            AccessGrant.from_wire(json.dumps(grant | missing))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("0001-01-01T00:00:00+23:59", "1970-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-23:59", "2199-12-31T23:59:59+00:00"),
        ("2026-06-02T14:15:00+02:00", "2026-06-02T12:15:00+00:00"),
    ],
)
def test_a_time_is_clamped_so_that_a_sum_is_a_time(sent, read):
    grant = {"id": "rag_1", "url": "https://api.example/runtime/access/rag_1", "expiresAt": sent}
    assert AccessGrant.from_wire(json.dumps(grant)).expires_at.isoformat() == read


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (
            {"code": "version_conflict", "retryable": False, "details": {"expectedVersion": 2, "actualVersion": 3}},
            ("version_conflict", False, 2, 3),
        ),
        ({"code": "brand_new_code", "message": "Jane Roe"}, ("brand_new_code", None, None, None)),
        ({"code": "bad_request", "retryable": "perhaps", "details": "none"}, ("bad_request", None, None, None)),
        ({"code": "bad_request", "details": {"expectedVersion": "two"}}, ("bad_request", None, None, None)),
    ],
)
def test_section_7_errors_are_read_by_code(error, found):
    read = ErrorEnvelope.from_wire(json.dumps({"error": error, "requestId": "req_1"}))
    details = read.error.details
    assert (
        read.error.code,
        read.error.retryable,
        *((details.expected_version, details.actual_version) if details else (None, None)),
    ) == found
    assert read.request_id == "req_1"
    assert "Jane" not in repr(read) + read.model_dump_json()


@pytest.mark.parametrize(
    "body", ["", "<html>502</html>", "[]", '{"detail":"x"}', '{"error":"x"}', '{"error":{"message":"x"}}']
)
def test_section_7_a_body_without_the_envelope_is_not_a_typed_error(body):
    with pytest.raises(ValidationError):
        ErrorEnvelope.from_wire(body)


@pytest.mark.parametrize(
    "evidence", [{"referenceNumber": "R-1", "details": {"a": None, "b": [1, 2.5, "x"]}}, "R-1", ["R-1"], True, {}, 7]
)
def test_evidence_of_any_shape_is_kept_as_it_came(evidence):
    body = {"id": "auth_1", "version": 3, "status": "completed", "submission": {"payerReceipt": evidence, "more": 1}}
    found = AuthorizationEvidence.from_wire(json.dumps(body))
    assert (found.submission.payer_receipt, found.submission.decision) == (evidence, None)
    message = PayerEvidence(authorization_id="auth_1", version=3, status="completed", payer_receipt=evidence)
    assert json.loads(message.to_json())["payerReceipt"] == evidence
    assert "R-1" not in repr(found) + repr(message)


@pytest.mark.parametrize(
    "url",
    [
        "https://runtime.example\\@evil.example/a",
        "https://runtime.example/a\\b",
        "https://jo:pw@runtime.example/a",
        "https://runtime.example@evil.example/a",
        "https://runtime.example/a\nb",
        "https://runtime.example/\x7f",
        "https://runtime.example/ a",
        "https://rüntime.example/a",
        "javascript:alert(1)",
        "//runtime.example/a",
        "https:///a",
        "",
    ],
)
def test_a_link_that_two_readers_may_read_differently_is_refused_without_its_text(url):
    with pytest.raises(ValidationError) as refused:
        AccessGrant.from_wire(json.dumps({"id": "rag_1", "url": url, "expiresAt": "2026-06-02T14:15:00Z"}))
    assert "backslash" in str(refused.value)
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://runtime.example/a?b=c@d#e", "http://127.0.0.1:8/a", "https://[::1]:8/a"])
def test_a_usual_link_is_read(url):
    grant = AccessGrant.from_wire(json.dumps({"id": "rag_1", "url": url, "expiresAt": "2026-06-02T14:15:00Z"}))
    assert grant.url.get_secret_value() == url
