"""What the last calls to Collate for a waiting command returned: as data, and as the sentence of `gateway status`."""

import json

import pytest

from adapters.postgres.serializers import last_calls
from cli.history import status


def attempt(at, operation="get-authorization", result="ambiguous", status=500, code="server_error"):
    data = {"operation": operation, "result": result, "status": status, "code": code, "ms": 4}
    return {"at": f"2026-06-02T{at}Z", "data": {name: value for name, value in data.items() if value is not None}}


REFUSED = {"operation": "create", "result": "not_sent", "status": None, "code": "connect_refused"}


def test_equal_results_in_a_row_are_one_with_its_number_and_its_begin():
    older = [attempt("11:04:08", status=200, code=None, result="answered")]
    failing = [attempt(f"11:04:{second}") for second in range(17, 9, -1)]
    found = last_calls([*failing, *older])
    assert (found.operation, found.result, found.status, found.code) == (
        "get-authorization",
        "ambiguous",
        500,
        "server_error",
    )
    assert found.count == 8
    assert (found.since.second, found.until.second) == (10, 17)


def test_another_result_in_between_ends_the_row():
    found = last_calls([attempt("11:04:12"), attempt("11:04:11", status=503), attempt("11:04:10")])
    assert found.count == 1


def test_without_calls_there_is_nothing_to_tell():
    assert last_calls([]) is None


@pytest.mark.parametrize(
    ("attempts", "sentence"),
    [
        (
            [attempt("11:04:18"), attempt("11:04:10")],
            "get-authorization answered 500 (server_error), 2 times since 2026-06-02 11:04:10+00:00",
        ),
        (
            [attempt("11:04:10", **REFUSED)],
            "create: connection refused; nothing was sent, at 2026-06-02 11:04:10+00:00",
        ),
        (
            [attempt("11:04:10", operation="create", status=None, code="read_timeout")],
            "create was sent; no response within the time limit, at 2026-06-02 11:04:10+00:00",
        ),
        ([attempt("11:04:10", result="refused", status=403, code=None)], "get-authorization answered 403, at "),
    ],
)
def test_the_sentence_says_what_really_happened(attempts, sentence, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    shown = status.last_calls(json.loads(last_calls(attempts).to_json()))
    assert shown.startswith(sentence)
