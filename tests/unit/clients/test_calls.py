"""One call: one key for all tries, which failures are retried and when, and the wait for an outcome."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from collate_gateway_client import GatewayProblem, NotAnswered, NotFinished, Signer, completed

ACCEPTED = {"commandId": "c-1", "type": "t", "authorizationId": "auth_1", "status": "accepted", "acceptedAt": "now"}
FINISHED = ACCEPTED | {"status": "finished", "outcome": "applied", "effect": "ours"}
PLACE = {"location": "/v1/commands/c-1?at=3-14"}


def accepted(**headers):
    return httpx.Response(202, json=ACCEPTED, headers=headers)


def problem(status, slug="unavailable", **headers):
    body = {"type": f"urn:collate-gateway:problem:{slug}", "title": "T", "status": status, "detail": "D"}
    return httpx.Response(status, json=body, headers=headers | {"content-type": "application/problem+json"})


LOST = (
    httpx.ConnectError("refused"),
    httpx.ReadError("reset"),
    httpx.ReadTimeout("silent"),
    httpx.RemoteProtocolError("cut"),
    httpx.Response(202, content=b'{"commandId": "c-'),
    *(problem(status) for status in (408, 429, 502, 503, 504)),
)


@pytest.mark.parametrize("lost", LOST, ids=repr)
def test_every_try_of_a_call_is_the_same_request(answering, lost):
    gateway = answering(lost, lost, accepted())
    assert gateway.request_handoff("auth_1", requested_by="op-7") == ACCEPTED
    first, *others = gateway.requests
    assert len(others) == 2
    for other in others:
        assert (other.method, other.url, other.content) == (first.method, first.url, first.content)
        assert other.headers == first.headers
    assert first.headers["idempotency-key"]


def test_each_call_has_a_key_of_its_own_unless_the_program_gives_one(answering):
    gateway = answering(*[accepted()] * 4)
    gateway.watch("auth_1")
    gateway.watch("auth_1")
    gateway.watch("auth_1", key='order "7", \\')
    gateway.watch("auth_1", key="plain")
    keys = [request.headers["idempotency-key"] for request in gateway.requests]
    assert len(set(keys)) == 4
    assert keys[2:] == ['"order \\"7\\", \\\\"', '"plain"']


@pytest.mark.parametrize("key", ["", "x" * 256, "line\nend", "é"])
def test_a_key_that_no_header_can_carry_is_refused(answering, key):
    with pytest.raises(ValueError, match="printable ASCII"):
        answering().watch("auth_1", key=key)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500, 501])
def test_other_problems_are_raised_at_once(answering, status, clock):
    gateway = answering(problem(status, "some-slug"))
    with pytest.raises(GatewayProblem, match="some-slug") as raised:
        gateway.watch("auth_1", key="k")
    assert (raised.value.idempotency_key, raised.value.result_is_unknown) == ("k", status == 500)
    assert clock.pauses == []


def test_retry_after_is_obeyed_and_jittered(answering, clock):
    gateway = answering(problem(503, **{"retry-after": "7"}), problem(429, **{"retry-after": "2"}), accepted())
    gateway.watch("auth_1")
    assert clock.pauses == [pytest.approx(7.1), pytest.approx(2.1)]


def test_pauses_double_up_to_the_longest(answering, clock):
    gateway = answering(*[problem(503)] * 9, accepted())
    gateway.watch("auth_1")
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4, 4, 4])


def test_the_deadline_ends_the_tries_with_the_last_failure(answering, clock):
    gateway = answering(*[problem(503, "kafka-unavailable")] * 50, deadline_seconds=10)
    with pytest.raises(GatewayProblem, match="kafka-unavailable") as raised:
        gateway.watch("auth_1", key="k")
    assert sum(clock.pauses) <= 10
    assert (raised.value.idempotency_key, raised.value.result_is_unknown) == ("k", True)


def test_a_pause_beyond_the_deadline_is_not_begun(answering, clock):
    gateway = answering(problem(503, **{"retry-after": "61"}))
    with pytest.raises(GatewayProblem):
        gateway.watch("auth_1")
    assert clock.pauses == []


def test_kept_no_says_that_the_command_is_not_stored(answering):
    body = {"type": "urn:collate-gateway:problem:kafka-unavailable", "title": "T", "kept": "no"}
    answer = httpx.Response(503, json=body, headers={"retry-after": "99", "content-type": "application/problem+json"})
    with pytest.raises(GatewayProblem) as raised:
        answering(answer).watch("auth_1")
    assert not raised.value.result_is_unknown


def last_answer(status, **members):
    body = {"type": "urn:collate-gateway:problem:last", "title": "T", **members}
    return httpx.Response(status, json=body, headers={"retry-after": "99", "content-type": "application/problem+json"})


NOT_KEPT = last_answer(503, kept="no")


@pytest.mark.parametrize("last", [NOT_KEPT, last_answer(401), last_answer(429)], ids=["kept: no", "401", "429"])
@pytest.mark.parametrize(
    ("earlier", "is_unknown"),
    [
        ([problem(503)], True),
        ([httpx.ReadTimeout("silent")], True),
        ([problem(502), problem(429)], True),
        ([problem(429)], False),
    ],
    ids=["503", "no answer", "502, 429", "429"],
)
def test_the_result_stays_unknown_after_an_unknown_earlier_try(answering, earlier, is_unknown, last):
    with pytest.raises(GatewayProblem, match="last") as raised:
        answering(*earlier, last).watch("auth_1", key="k")
    assert raised.value.result_is_unknown is is_unknown
    with pytest.raises(GatewayProblem, match="last") as raised:
        answering(*earlier, last).me()
    assert not raised.value.result_is_unknown


def test_no_answer_leaves_the_result_of_a_command_unknown_and_not_that_of_a_read(answering):
    lost = [httpx.ConnectError("refused")] * 99
    with pytest.raises(NotAnswered) as raised:
        answering(*lost, deadline_seconds=5).watch("auth_1", key="k")
    assert (raised.value.result_is_unknown, raised.value.idempotency_key) == (True, "k")
    with pytest.raises(NotAnswered) as raised:
        answering(*lost, deadline_seconds=5).me()
    assert not raised.value.result_is_unknown


def test_a_token_is_asked_for_at_each_try(answering):
    tokens = iter(["one", "two", "three"])
    gateway = answering(problem(503), accepted(), accepted(), credential=lambda: next(tokens))
    gateway.watch("auth_1")
    gateway.watch("auth_1")
    assert [request.headers["authorization"] for request in gateway.requests] == [
        "Bearer one",
        "Bearer two",
        "Bearer three",
    ]


def test_wait_returns_the_outcome_of_the_first_answer(answering, clock):
    gateway = answering(httpx.Response(200, json=FINISHED))
    assert gateway.request_handoff("auth_1", wait=45)["outcome"] == "applied"
    assert gateway.requests[0].headers["prefer"] == "wait=30"
    assert gateway.requests[0].extensions["timeout"]["read"] >= 30


def test_a_later_try_waits_for_the_rest_of_the_time(answering, clock):
    gateway = answering(problem(503, **{"retry-after": "4"}), httpx.Response(200, json=FINISHED))
    gateway.request_handoff("auth_1", wait=10)
    assert [request.headers["prefer"] for request in gateway.requests] == ["wait=10", "wait=5"]


def test_wait_polls_the_place_of_the_202(answering, clock):
    waiting = ACCEPTED | {"status": "waiting"}
    gateway = answering(
        accepted(**PLACE),
        httpx.Response(200, json=waiting),
        problem(503),
        httpx.Response(200, json=FINISHED),
    )
    assert gateway.request_handoff("auth_1", wait=40) == FINISHED
    assert {str(request.url) for request in gateway.requests[1:]} == {"https://gateway.example/v1/commands/c-1?at=3-14"}


def test_the_place_is_read_from_the_gateway_even_if_a_proxy_rewrote_it(answering):
    gateway = answering(accepted(location="http://evil.example/v1/commands/c-1"), httpx.Response(200, json=FINISHED))
    gateway.request_handoff("auth_1", wait=10)
    assert str(gateway.requests[1].url) == "https://gateway.example/v1/commands/c-1"


def test_wait_without_a_read_model_sends_the_same_command_again(answering, clock):
    gateway = answering(accepted(), accepted(), httpx.Response(200, json=FINISHED))
    assert gateway.request_handoff("auth_1", wait=40) == FINISHED
    assert {request.method for request in gateway.requests} == {"POST"}
    assert len({request.headers["idempotency-key"] for request in gateway.requests}) == 1


def test_wait_ends_with_the_last_status(answering, clock):
    polls = [httpx.Response(200, json=ACCEPTED | {"status": "waiting"})] * 99
    with pytest.raises(NotFinished) as raised:
        answering(accepted(**PLACE), *polls).request_handoff("auth_1", wait=10, key="k")
    error = raised.value
    assert (error.status, error.command_id, error.idempotency_key) == ("waiting", "c-1", "k")
    assert sum(clock.pauses) == pytest.approx(10)


def test_wait_ends_at_once_with_a_dead_letter(answering, clock):
    dead = ACCEPTED | {"status": "dead_lettered", "cause": "unexpected_code"}
    with pytest.raises(NotFinished, match="dead_lettered"):
        answering(httpx.Response(202, json=dead, headers=PLACE)).request_handoff("auth_1", wait=10)
    assert clock.pauses == []


def test_a_poll_without_an_answer_keeps_the_last_status(answering, clock):
    lost = [httpx.ConnectError("refused")] * 99
    with pytest.raises(NotFinished, match="accepted"):
        answering(accepted(**PLACE), *lost).request_handoff("auth_1", wait=5)


def test_a_signed_command_is_valid_and_signed_again_for_each_try(answering, clock):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    gateway = answering(problem(503, **{"retry-after": "9"}), accepted(), credential=Signer("in take", secret))
    gateway.send_event("collate-gateway.authorization.watch.v1", "auth_1", {}, source="/intake", event_id="e-1")
    first, second = gateway.requests
    assert str(first.url) == "https://gateway.example/v1/commands?caller=in%20take"
    assert "authorization" not in first.headers
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == json.loads(first.content)["id"] == "e-1"
    for request in gateway.requests:
        headers = dict(request.headers)
        signed_at = int(headers["webhook-timestamp"])
        expected = Webhook(secret).sign("e-1", datetime.fromtimestamp(signed_at, UTC), request.content.decode())
        assert headers["webhook-signature"] == expected


def test_a_signer_sends_nothing_else(answering):
    gateway = answering(credential=Signer("intake", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    with pytest.raises(TypeError, match="send_event"):
        gateway.me()


def test_ids_are_quoted_in_paths(answering):
    gateway = answering(accepted(), accepted())
    gateway.close_handoff("../x", "a/b?c", completed("submitted", operator_notes="n"))
    gateway.watch("..")
    assert [str(request.url.raw_path, "ascii") for request in gateway.requests] == [
        "/v1/authorizations/..%2Fx/handoffs/a%2Fb%3Fc/close",
        "/v1/authorizations/%2E%2E/watch",
    ]
    assert json.loads(gateway.requests[0].content) == {
        "result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "n"}
    }
