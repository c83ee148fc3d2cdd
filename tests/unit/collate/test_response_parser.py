import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.collate.answers import Ambiguous, Answered, NotSent, Refused
from adapters.collate.call_policy.calls import CallSignal
from adapters.collate.response_parser import read
from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import NoResponse
from schemas.collate.authorization import PriorAuthorization

AUTHORIZATION = b'{"id":"auth_1","version":3,"status":"processing"}'


def understand(status, body, about=(), **headers):
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return read(
        httpx.Response(status, headers=list(named.items()), content=body),
        PriorAuthorization.from_wire,
        lambda it: it.id == "auth_1",
        keep_body=True,
        now=0.0,
        about=about,
    )


def error(code="some_code", **more):
    return json.dumps({"error": {"code": code, **more}, "requestId": "req_1"}).encode()


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 299])
def test_a_2xx_with_a_valid_body_is_answered(status):
    result, signal = understand(status, AUTHORIZATION, x_request_id=b"req_7")
    assert isinstance(result, Answered)
    assert result.body == AUTHORIZATION
    assert result.request_id == "req_7"
    assert signal is CallSignal.ANSWERED


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        (400, CallSignal.ANSWERED),
        (401, CallSignal.KEY_REFUSED),
        (403, CallSignal.FORBIDDEN),
        (404, CallSignal.ANSWERED),
        (409, CallSignal.ANSWERED),
        (422, CallSignal.ANSWERED),
        (429, CallSignal.LIMITED),
    ],
)
def test_a_typed_4xx_is_a_refusal(status, signal):
    assert understand(status, error()) == (Refused(status, "some_code", request_id="req_1"), signal)


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        (400, CallSignal.FAILED),
        (401, CallSignal.KEY_REFUSED),
        (403, CallSignal.FAILED),
        (404, CallSignal.FAILED),
        (408, CallSignal.FAILED),
        (429, CallSignal.LIMITED),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"error":"no"}', b'{"error":{}}', b'{"error":{"code":1}}', b"[]"]
)
def test_a_4xx_without_collates_error_body_is_ambiguous(status, signal, body):
    assert understand(status, body) == (Ambiguous(Cause.UNTYPED, status), signal)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
def test_a_5xx_is_ambiguous_with_or_without_an_error_body(status):
    typed = Ambiguous(Cause.SERVER_ERROR, status, "some_code", 5.0, "req_1")
    assert understand(status, error(), retry_after=b"5") == (typed, CallSignal.FAILED)
    assert understand(status, b"oops") == (Ambiguous(Cause.SERVER_ERROR, status), CallSignal.FAILED)


def test_details_that_the_gateway_uses_are_kept():
    body = error("version_conflict", retryable=True, details={"expectedVersion": 2, "actualVersion": 3, "reason": "x"})
    result, _ = understand(409, body)
    assert result == Refused(409, "version_conflict", True, None, "req_1", 2, 3, "x")


def test_details_of_another_shape_do_not_make_a_refusal_unreadable():
    for details in ("text", 5, [], {"expectedVersion": "two", "actualVersion": {}, "reason": ["x"]}, None):
        result, _ = understand(409, error(details=details))
        assert result == Refused(409, "some_code", request_id="req_1")


def test_the_request_id_comes_from_the_header_if_the_body_has_none():
    result, _ = understand(409, b'{"error":{"code":"a"}}', request_id=b"req_9")
    assert result.request_id == "req_9"


def test_a_failed_call_says_whether_something_was_sent():
    def of(cause, **options):
        failure = NoResponse(cause, **options)
        return read(failure, PriorAuthorization.from_wire, lambda _: True, keep_body=True, now=0.0)

    assert of(Cause.DNS, sent=False) == (NotSent(Cause.DNS), CallSignal.FAILED)
    assert of(Cause.DEADLINE, sent=False) == (NotSent(Cause.DEADLINE), CallSignal.FAILED)
    assert of(Cause.PROXY_REFUSED, sent=False, status=403) == (NotSent(Cause.PROXY_REFUSED, 403), CallSignal.FAILED)
    assert of(Cause.RESET, sent=True) == (Ambiguous(Cause.RESET), CallSignal.FAILED)
    assert of(Cause.TRUNCATED, sent=True, status=200) == (Ambiguous(Cause.TRUNCATED, 200), CallSignal.FAILED)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["error", "code", "details", "requestId", "id", "version", "retryable", "x"]),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)


@given(st.integers(200, 599), st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
def test_no_response_makes_the_parser_raise(status, body):
    result, signal = understand(status, body, retry_after=b"x", x_request_id=b"\xff")
    assert isinstance(result, Answered | Refused | Ambiguous)
    assert isinstance(signal, CallSignal)


UNREAD = [
    ('{"id":"auth_1","version":3,"status":"processing","nextAction":{"type":"x","covers":[]}}', "nextAction.covers"),
    (
        '{"id":"auth_1","version":3,"status":"p","nextAction":{"type":"x","covers":{"reviewSnapshotId":""}}}',
        "nextAction.covers.reviewSnapshotId",
    ),
    ('{"id":"auth_1","version":"three","status":"processing"}', "version"),
    ('{"id":"auth_1","version":3,"status":5}', "status"),
    (
        '{"id":"auth_1","version":3,"status":"p","submission":{"reviewSnapshot":{"id":7}}}',
        "submission.reviewSnapshot.id",
    ),
]


@pytest.mark.parametrize(("body", "field"), UNREAD)
def test_an_unreadable_answer_names_its_field_and_no_value_and_counts_for_no_breaker(body, field):
    result, signal = understand(200, body.encode(), about=("auth_1",))
    assert result == Ambiguous(Cause.UNREADABLE, 200, fields=(field,))
    assert signal is CallSignal.ANSWERED
    assert understand(200, body.encode(), about=("auth_2",))[1] is CallSignal.UNREADABLE


def test_at_most_three_fields_are_named_and_none_of_the_answers_own():
    result, signal = understand(200, b'{"Jane Roe":1,"data":{}}')
    assert (result.fields, signal) == (("id", "version", "status"), CallSignal.UNREADABLE)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"a"', b"7", b"\xff", b"[" * 20_000])
def test_a_body_that_is_no_object_may_come_from_a_proxy_and_is_a_failure(body):
    assert understand(200, body) == (Ambiguous(Cause.UNREADABLE, 200, fields=("body",)), CallSignal.FAILED)


def test_an_answer_about_another_object_names_its_id():
    result, signal = understand(200, AUTHORIZATION.replace(b"auth_1", b"auth_2"), about=("auth_1",))
    assert (result, signal) == (Ambiguous(Cause.MISMATCHED, 200, fields=("id",)), CallSignal.FAILED)
