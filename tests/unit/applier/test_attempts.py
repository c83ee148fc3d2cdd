from adapters.collate.answers import Ambiguous, Answered, Deferred, NotSent, Refused
from adapters.collate.operations import Operation
from adapters.http_connection.cause import Cause
from consumers.applier.attempts import AttemptLog, Attempts, RecordedReads, to_attempt
from consumers.engine import Turn
from schemas.attempts import MOST_ATTEMPTS
from schemas.events.wait_reasons import HoldReason


def made(number):
    return to_attempt(Operation.CREATE_HANDOFF, NotSent(Cause.DNS), number, float(number), float(number))


def test_the_first_and_last_attempts_are_kept_and_the_others_counted():
    attempts = Attempts()
    assert attempts.kept is None
    for number in range(1, 31):
        attempts.add(made(number))
    assert [one.write for one in attempts.kept] == [*range(1, 5), *range(19, 31)]
    assert len(attempts.kept) == MOST_ATTEMPTS
    assert attempts.left_out == 30 - MOST_ATTEMPTS


def test_the_log_drops_the_least_recently_used_command(monkeypatch):
    monkeypatch.setattr("consumers.applier.attempts._MOST_COMMANDS", 2)
    log = AttemptLog()
    one, two = log.of("one"), log.of("two")
    assert log.of("one") is one
    log.of("three")
    assert log.of("one") is one
    assert log.of("two") is not two


def test_an_attempt_contains_only_words_of_the_response():
    def shown(result):
        attempt = to_attempt(Operation.COMPLETE, result, 1, 10.0, 10.25).model_dump(exclude_none=True)
        assert attempt.pop("ms") == 250
        assert attempt.pop("write") == 1
        assert attempt.pop("operation") == "complete"
        del attempt["at"]
        return attempt

    assert shown(Answered(200, "model", b"body", "req_1")) == {
        "result": "answered",
        "status": 200,
        "requestId": "req_1",
    }
    assert shown(Refused(409, code="version_conflict")) == {
        "result": "refused",
        "status": 409,
        "code": "version_conflict",
    }
    assert shown(Ambiguous(Cause.READ_TIMEOUT)) == {"result": "ambiguous", "code": "read_timeout"}
    assert shown(NotSent(Cause.REFUSED)) == {"result": "not_sent", "code": "connect_refused"}
    assert shown(Refused(400, code="Patient Jane Roe", request_id="for Jane Roe")) == {
        "result": "refused",
        "status": 400,
    }


class Answering:
    def __init__(self, *results):
        self._results = list(results)

    async def get_authorization(self, *_, **__):
        return self._results.pop(0)

    get_handoff = create_handoff = get_authorization


async def test_a_read_has_no_write_number_and_a_deferred_call_is_no_attempt():
    attempts = Attempts()
    collate = Answering(*[Answered(200, None, b"")] * 2, Deferred(99.0, HoldReason.BUDGET), Answered(201, None, b""))
    reads = RecordedReads(collate, Turn("caller", is_urgent=True), attempts, lambda: 5.0)
    await reads.get_authorization("auth")
    await reads.get_handoff("auth", "mhand")
    for _ in range(2):
        await attempts.record(Operation.CREATE_HANDOFF, collate.create_handoff("auth"), lambda: 5.0, 3)
    shown = [(one.operation, one.write) for one in attempts.kept]
    assert shown == [("get-authorization", None), ("get-handoff", None), ("create", 3)]
