"""The router over every code of docs/collate-contract.md §7, every default, every kind of result."""

import itertools

import pytest

from adapters.collate.answers import Ambiguous, Deferred, NotSent, Refused
from adapters.collate.errors import DEFAULTS, RULES, Disposition, Route, route
from adapters.collate.operations import Operation
from adapters.http_connection.cause import Cause
from schemas.events.wait_reasons import HoldReason

WRITES = [operation for operation in Operation if operation.writes]
READS = [operation for operation in Operation if not operation.writes]
CREATE, CLOSE, MINT = Operation.CREATE_HANDOFF, Operation.COMPLETE, Operation.MINT_GRANT

# The rows of docs/collate-contract.md §7, and live_session_not_available of §6: code, status, and the disposition that
# the recovery column means for a create, a close and a mint.
SECTION_7 = [
    ("bad_request", 400, Disposition.DEAD_LETTER),
    ("final_submission_policy_required", 400, Disposition.DEAD_LETTER),
    ("unauthorized", 401, Disposition.SUSPEND),
    ("forbidden", 403, Disposition.REJECT),
    ("insufficient_permissions", 403, Disposition.REJECT),
    ("prior_authorization_not_found", 404, Disposition.REJECT),
    ("authorization_not_found", 404, Disposition.REJECT),
    ("provider_not_found", 404, Disposition.DEAD_LETTER),
    ("payer_not_found", 404, Disposition.DEAD_LETTER),
    ("file_not_found", 404, Disposition.DEAD_LETTER),
    (
        "access_grant_expired",
        404,
        {CREATE: Disposition.REREAD, CLOSE: Disposition.REREAD, MINT: Disposition.MINT_AGAIN},
    ),
    ("access_grant_revoked", 404, Disposition.REREAD),
    ("channel_session_lost", 404, Disposition.REREAD),
    ("unsupported_route", 409, Disposition.DEAD_LETTER),
    ("provider_access_not_configured", 409, Disposition.DEAD_LETTER),
    ("idempotency_key_reused", 409, Disposition.REREAD),
    ("version_conflict", 409, Disposition.REREAD),
    ("prior_authorization_not_mutable", 409, Disposition.REREAD),
    ("authorization_not_mutable", 409, Disposition.REREAD),
    ("prior_authorization_not_actionable", 409, Disposition.REREAD),
    ("authorization_not_confirmable", 409, Disposition.REREAD),
    ("requirements_not_satisfied", 409, Disposition.REJECT),
    ("review_stale", 409, Disposition.REJECT),
    ("live_session_not_available", 409, Disposition.REREAD),
    ("manual_handoff_not_allowed", 409, Disposition.REREAD),
    ("file_not_ready", 409, Disposition.DEAD_LETTER),
    ("next_action_required", 409, Disposition.REREAD),
    ("next_action_mismatch", 409, Disposition.REREAD),
    ("next_action_not_confirmable", 409, Disposition.REREAD),
    ("validation_failed", 409, Disposition.DEAD_LETTER),
    ("unsupported_case", 409, Disposition.DEAD_LETTER),
]


def test_the_table_has_every_documented_code_and_no_other():
    assert [rule.code for rule in RULES] == [code for code, _, _ in SECTION_7]
    assert [rule.statuses for rule in RULES] == [(status,) for _, status, _ in SECTION_7]


@pytest.mark.parametrize(("code", "status", "move"), SECTION_7, ids=[row[0] for row in SECTION_7])
def test_a_documented_code_has_the_disposition_of_its_row(code, status, move):
    for operation in WRITES:
        expected = move if isinstance(move, Disposition) else move[operation if operation in move else CLOSE]
        found = route(operation, Refused(status, code, suspended=status == 401))
        assert found.disposition is expected, operation
        assert found.reason
        assert found.advice.endswith(".")


def test_a_code_counts_with_any_status():
    for (code, status, _), operation in itertools.product(SECTION_7, WRITES):
        assert route(operation, Refused(418, code)) == route(operation, Refused(status, code)), (code, operation)


def test_a_read_is_resent_where_a_write_is_reread():
    for (code, status, move), operation in itertools.product(SECTION_7, READS):
        found = route(operation, Refused(status, code)).disposition
        assert found is not Disposition.REREAD, (code, operation)
        if move is Disposition.REREAD:
            assert found is Disposition.RESEND, (code, operation)


@pytest.mark.parametrize(
    ("status", "write", "read"),
    [
        (400, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (401, Disposition.SUSPEND, Disposition.SUSPEND),
        (402, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (403, Disposition.REJECT, Disposition.REJECT),
        (404, Disposition.REREAD, Disposition.REJECT),
        (405, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (408, Disposition.RESEND, Disposition.RESEND),
        (409, Disposition.REREAD, Disposition.RESEND),
        (410, Disposition.REREAD, Disposition.REJECT),
        (412, Disposition.REREAD, Disposition.RESEND),
        (413, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (415, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (422, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (423, Disposition.REREAD, Disposition.RESEND),
        (425, Disposition.RESEND, Disposition.RESEND),
        (428, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
        (429, Disposition.RESEND, Disposition.RESEND),
        (451, Disposition.DEAD_LETTER, Disposition.DEAD_LETTER),
    ],
)
@pytest.mark.parametrize("code", ["a_code_of_tomorrow", None])
def test_the_status_decides_about_an_unknown_code(status, write, read, code):
    assert route(CREATE, Refused(status, code)).disposition is write
    assert route(Operation.GET_AUTHORIZATION, Refused(status, code)).disposition is read


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 422])
def test_retryable_overrides_the_status_of_an_unknown_code(status):
    assert route(CREATE, Refused(status, "new", retryable=True)).disposition is Disposition.RESEND
    assert route(Operation.GET_HANDOFF, Refused(status, "new", retryable=True)).disposition is Disposition.RESEND


def test_retry_after_implies_retryable_unless_denied():
    assert route(CREATE, Refused(423, "locked", retry_after_seconds=1.0)).disposition is Disposition.RESEND
    assert (
        route(CREATE, Refused(423, "locked", retryable=False, retry_after_seconds=1.0)).disposition
        is Disposition.REREAD
    )


def test_retryable_turns_a_final_disposition_into_a_reread():
    assert route(CREATE, Refused(409, "review_stale", retryable=True)).disposition is Disposition.REREAD
    assert route(Operation.GET_HANDOFF, Refused(400, "bad_request", retryable=True)).disposition is Disposition.RESEND


def test_after_an_ambiguous_attempt_no_refusal_is_final():
    codes = [*(row[0] for row in SECTION_7), "a_code_of_tomorrow"]
    for operation, code, status in itertools.product(WRITES, codes, [400, 403, 404, 409, 422]):
        found = route(operation, Refused(status, code), after_ambiguous=True).disposition
        assert found not in {Disposition.REJECT, Disposition.DEAD_LETTER}, (operation, code, status)


@pytest.mark.parametrize("operation", Operation)
def test_without_a_definite_result_the_same_request_is_resent(operation):
    for result in (
        Ambiguous(Cause.RESET),
        Ambiguous(Cause.SERVER_ERROR, 500, "internal"),
        NotSent(Cause.REFUSED),
        Deferred(1.0, HoldReason.BREAKER),
    ):
        assert route(operation, result).disposition is Disposition.RESEND


def test_the_wait_that_collate_asks_for_is_returned():
    assert route(CREATE, Refused(429, "slow_down", retry_after_seconds=7.0)).wait_seconds == 7.0
    assert route(CREATE, Refused(409, "version_conflict", retry_after_seconds=7.0)).wait_seconds == 7.0
    assert route(CREATE, Ambiguous(Cause.SERVER_ERROR, 503, retry_after_seconds=7.0)).wait_seconds == 7.0


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_that_may_concern_the_key_does_not_reject_the_command(status):
    found = route(CREATE, Refused(status, "forbidden", suspended=True))
    assert isinstance(found, Route)
    assert found.disposition is Disposition.SUSPEND


def test_each_status_has_one_default():
    statuses = [status for default in DEFAULTS for status in default.statuses]
    assert len(statuses) == len(set(statuses))
