import json

import pytest

from adapters.collate.answers import Ambiguous, Deferred, NotSent, Refused
from adapters.collate.errors import RULES
from adapters.collate.operations import Operation
from adapters.http_connection.cause import Cause
from gateway.ingress.live.live_problems import problem_of, problem_of_not_open
from gateway.ingress.live.outcomes import NoAccess, NotOpen, UpstreamError
from schemas.events.wait_reasons import HoldReason

LIVE = [Operation.GET_AUTHORIZATION, Operation.GET_HANDOFF, Operation.MINT_GRANT]


def problem_parts(operation, answer):
    problem = problem_of(UpstreamError(operation, answer))
    return problem.status, problem.slug, json.loads(problem.body("r"))


@pytest.mark.parametrize("operation", LIVE)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_documented_code_is_a_problem_that_says_why_and_what_to_do(operation, rule):
    status, _, body = problem_parts(operation, Refused(rule.statuses[0], rule.code, request_id="req_1"))
    assert status in {404, 409, 502, 503}
    assert body["reason"]
    assert body["detail"].endswith(".")
    assert body["collateRequestId"] == "req_1"


@pytest.mark.parametrize(
    ("operation", "answer", "status", "slug"),
    [
        (Operation.GET_AUTHORIZATION, Refused(404, "prior_authorization_not_found"), 404, "authorization-not-found"),
        (Operation.GET_HANDOFF, Refused(404, "some_new_code"), 404, "handoff-not-found"),
        (Operation.GET_AUTHORIZATION, Refused(401, "unauthorized", suspended=True), 503, "collate-unavailable"),
        (Operation.GET_AUTHORIZATION, Refused(403, "forbidden"), 409, "collate-refused"),
        (Operation.GET_HANDOFF, Refused(429, None, retry_after_seconds=7), 503, "collate-unavailable"),
        (Operation.MINT_GRANT, Refused(409, "live_session_not_available"), 409, "access-unavailable"),
        (Operation.MINT_GRANT, Refused(409, "never_seen_before"), 409, "access-unavailable"),
        (Operation.MINT_GRANT, Refused(400, "bad_request"), 502, "collate-broken"),
        (Operation.MINT_GRANT, Ambiguous(Cause.RESET), 503, "collate-unavailable"),
        (Operation.MINT_GRANT, Ambiguous(Cause.SERVER_ERROR, 500), 503, "collate-unavailable"),
        (Operation.MINT_GRANT, Ambiguous(Cause.UNREADABLE, 200), 502, "collate-broken"),
        (Operation.MINT_GRANT, Ambiguous(Cause.UNTYPED, 404), 502, "collate-broken"),
        (Operation.MINT_GRANT, NotSent(Cause.REFUSED), 503, "collate-unavailable"),
        (Operation.MINT_GRANT, Deferred(0, HoldReason.BREAKER), 503, "collate-unavailable"),
    ],
)
def test_the_party_that_can_act_decides_the_status(operation, answer, status, slug):
    assert problem_parts(operation, answer)[:2] == (status, slug)


@pytest.mark.parametrize(
    "answer",
    [
        Deferred(0, HoldReason.BUDGET),
        NotSent(Cause.DNS),
        Ambiguous(Cause.READ_TIMEOUT),
        Refused(429, None),
        Refused(401, "unauthorized"),
    ],
)
def test_each_temporary_problem_has_a_retry_after(answer):
    assert problem_of(UpstreamError(Operation.MINT_GRANT, answer)).retry_after_seconds >= 1


def test_collates_retry_after_is_passed_on():
    problem = problem_of(UpstreamError(Operation.MINT_GRANT, Deferred(30, HoldReason.RATE_LIMITED)))
    assert problem.retry_after_seconds == 30
    assert (
        problem_of(UpstreamError(Operation.GET_HANDOFF, Refused(429, None, retry_after_seconds=7))).retry_after_seconds
        == 7
    )


@pytest.mark.parametrize("reason", NoAccess)
def test_every_reason_of_no_access_is_a_409_with_advice(reason):
    problem = problem_of_not_open(NotOpen(reason, "mhand_1", "revoked"))
    body = json.loads(problem.body("r"))
    assert (problem.status, body["reason"], body["handoffId"]) == (409, reason, "mhand_1")
    assert body["detail"].endswith(".")
