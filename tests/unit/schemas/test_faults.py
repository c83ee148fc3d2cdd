import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.api.faults import FieldFault, faults
from schemas.commands import (
    COMMANDS,
    AuthorizationWatch,
    Completed,
    HandoffCloseBody,
    HandoffRequest,
    RecordAccess,
    Redrive,
    Revoked,
)

PLANTED = "Zzplantedzz 123-45-6789"


def found(model, document):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(ValidationError) as caught:
        model.from_caller(text)
    return faults(caught.value)


@pytest.mark.parametrize(
    ("model", "document", "pointer", "expected"),
    [
        (HandoffRequest, [], "", "an object"),
        (HandoffRequest, b"{", "", "JSON in UTF-8 (the error is at line 1 column 1)"),
        (HandoffRequest, b"\xff", "", "JSON in UTF-8 (the error is at line 1 column 1)"),
        (HandoffRequest, {"patient": 1}, "/patient", "no such field"),
        (HandoffRequest, {"acceptedReviewSnapshotId": 7}, "/acceptedReviewSnapshotId", "a text"),
        (
            HandoffRequest,
            {"acceptedReviewSnapshotId": "../x"},
            "/acceptedReviewSnapshotId",
            "1 to 128 characters of A-Z a-z 0-9 . _ ~ -, beginning with a letter or a digit",
        ),
        (
            HandoffRequest,
            {"expiresAt": "tomorrow"},
            "/expiresAt",
            "an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z",
        ),
        (HandoffRequest, {"expiresAt": 1700000000}, "/expiresAt", "a text"),
        (AuthorizationWatch, {"metadata": []}, "/metadata", "an object"),
        (AuthorizationWatch, {"metadata": {str(n): "x" for n in range(17)}}, "/metadata", "at most 16 entries"),
        (
            AuthorizationWatch,
            {"metadata": {"a b": "x"}},
            "/metadata",
            "keys to be 1 to 64 characters of A-Z a-z 0-9 . _ -",
        ),
        (
            AuthorizationWatch,
            {"metadata": {"case": "a b"}},
            "/metadata/case",
            "1 to 64 characters of A-Z a-z 0-9 . _ : -",
        ),
        (HandoffCloseBody, {}, "/result", "a value: the field is required"),
        (HandoffCloseBody, {"result": 1}, "/result", "an object"),
        (HandoffCloseBody, {"result": {}}, "/result/type", "one of 'completed', 'unable_to_complete', 'revoked'"),
        (
            HandoffCloseBody,
            {"result": {"type": "x"}},
            "/result/type",
            "one of 'completed', 'unable_to_complete', 'revoked'",
        ),
        (
            HandoffCloseBody,
            {"result": {"type": "completed", "reportedOutcome": "approved"}},
            "/result/reportedOutcome",
            "one of 'submitted' or 'decision_observed' or 'not_required_observed' or 'follow_up_required_observed'",
        ),
        (
            HandoffCloseBody,
            {"result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "n" * 4001}},
            "/result/operatorNotes",
            "at most 4000 characters",
        ),
        (
            HandoffCloseBody,
            {"result": {"type": "revoked", "reason": "x", "completed": 1}},
            "/result/completed",
            "no such field",
        ),
        (
            HandoffCloseBody,
            {"result": {"type": "revoked", "reason": ""}},
            "/result/reason",
            "a text, not empty and without NUL",
        ),
        (
            HandoffCloseBody,
            {"result": {"type": "unable_to_complete", "reason": "No Reason"}},
            "/result/reason",
            "1 to 64 characters of a-z 0-9 _",
        ),
    ],
)
def test_a_fault_has_a_pointer_to_the_field_and_the_expected_value(model, document, pointer, expected):
    assert found(model, document) == [FieldFault(pointer, expected)]


def test_all_faults_are_listed():
    pointers = [
        fault.pointer for fault in found(HandoffRequest, {"expiresAt": "x", "acceptedReviewSnapshotId": "/", "y": 1})
    ]
    assert pointers == ["/acceptedReviewSnapshotId", "/expiresAt", "/y"]


def test_faults_are_bounded():
    assert len(found(HandoffRequest, {f"f{n}": n for n in range(1000)})) == 20


def test_a_key_that_does_not_look_like_a_name_is_not_in_the_pointer():
    assert found(HandoffRequest, {PLANTED: 1}) == [FieldFault("", "no such field")]
    assert found(HandoffRequest, {"a/b~c": 1}) == [FieldFault("", "no such field")]


FIELDS = st.sampled_from(
    sorted({info.alias for model in (*COMMANDS.values(), Completed, Revoked) for info in model.model_fields.values()})
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(PLANTED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just(PLANTED) | FIELDS, inner, max_size=4),
    max_leaves=8,
)


def shown_faults(model, text):
    """Return the faults of a document as a caller or a log sees them; empty if the document is valid."""
    try:
        model.from_caller(text)
    except ValidationError as error:
        return str(faults(error))
    return ""


@given(st.sampled_from([HandoffRequest, HandoffCloseBody, RecordAccess, Redrive]), st.dictionaries(FIELDS, ANYTHING))
def test_no_fault_repeats_a_value_of_the_request(model, document):
    shown = shown_faults(model, json.dumps(document))
    assert "plantedzz" not in shown
    assert "documented type" not in shown


@given(st.text(max_size=40))
def test_invalid_json_is_not_quoted(text):
    assert "plantedzz" not in shown_faults(HandoffRequest, f'{{"expiresAt": "{PLANTED}" {text}'.encode())
