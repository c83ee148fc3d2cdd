"""What each attempt of a call leaves behind: metrics, one log line, and a span of the trace."""

from typing import Any, Final, TypeVar

from adapters.collate.answers import Ambiguous, Answered, NotSent, Refused, Result
from adapters.collate.operations import Operation
from adapters.http_connection.clock_skew import clock_skew_seconds
from runtime.logs import line_writer
from runtime.metrics import CollateMetrics
from runtime.tracing.traces import Traces
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff

Model = TypeVar("Model")
Ids = dict[str, str]

_CLASSES: Final = {Answered: "answered", Refused: "refused", Ambiguous: "ambiguous", NotSent: "not_sent"}
_ABANDONED: Final = "abandoned"
_LOGGED: Final = ("cause", "status", "proxy_status", "code", "request_id")


class AttemptReport:
    """The report of the attempts of one client. Ids and words only: no body, no key, no secret."""

    def __init__(self, metrics: CollateMetrics, traces: Traces | None, environment: str | None) -> None:
        """`environment` is for the log: Collate's support asks for it."""
        self._traces = traces
        kinds = (*_CLASSES.values(), _ABANDONED)
        self._attempts = {
            (operation, kind): metrics.attempts.labels(operation.value, kind)
            for operation in Operation
            for kind in kinds
        }
        self._clock_skew = metrics.clock_skew_seconds
        self._seconds = {operation: metrics.attempt_seconds.labels(operation.value) for operation in Operation}
        self._lead: dict[str, Any] = {} if environment is None else {"environment": environment}
        self._write_info = line_writer("collate.attempt")
        self._write_warning = line_writer("collate.attempt", "warning")

    def compare_clocks(self, date: str | None, sent_at: float, received_at: float) -> None:
        """Record the clock skew that a response proves; a response without a readable Date proves nothing."""
        skew = clock_skew_seconds(date, sent_at, received_at)
        if skew is not None:
            self._clock_skew.set(skew)

    def record(self, operation: Operation, ids: Ids, result: Result[Model] | None, seconds: float) -> None:
        """Count an attempt, write its log line and its span. `result` is None for a call that was abandoned."""
        kind = _CLASSES.get(type(result), _ABANDONED)
        self._attempts[operation, kind].inc()
        self._seconds[operation].observe(seconds)
        line: dict[str, Any] = {"operation": operation.value, "result": kind, "seconds": round(seconds, 4), **ids}
        line |= self._lead
        for name in _LOGGED:
            if (value := getattr(result, name, None)) is not None:
                line[name] = value
        if isinstance(result, Answered):
            line |= _shown(result.model)
        if fields := _unread_fields(result):
            line["fields"] = fields
        if self._traces is not None:
            self._traces.finished_child(
                f"collate {operation.value}",
                "CLIENT",
                seconds,
                {
                    "gateway.operation": operation.value,
                    "gateway.result": kind,
                    "gateway.authorization_id": ids.get("authorization_id"),
                    "gateway.handoff_id": ids.get("handoff_id"),
                    "gateway.cause": line.get("cause"),
                    "gateway.code": line.get("code"),
                    "http.response.status_code": line.get("status"),
                },
                failed=None if kind == "answered" else kind,
            )
        is_expected = isinstance(result, Answered | Refused) and "fields" not in line
        write = self._write_info if is_expected else self._write_warning
        write(line)


def _shown(model: object) -> dict[str, Any]:
    """Return the words and versions of a response that Collate's support asks for (docs/collate-contract.md §10)."""
    match model:
        case PriorAuthorization():
            action = model.next_action.type if model.next_action else None
            return {"version": model.version, "authorization_status": model.status, "action": action}
        case ManualHandoff():
            return {"handoff_version": model.version, "handoff_state": model.state}
        case CloseAnswer():
            shown = model.authorization
            return {"version": shown.version, "authorization_status": shown.status, "handoff_state": model.state}
        case None:
            return {"unchanged": True}
        case _:
            return {}


def _unread_fields(result: Result[Model] | None) -> tuple[str, ...]:
    if isinstance(result, Answered) and isinstance(result.model, PriorAuthorization):
        return result.model.unread_fields
    return result.fields if isinstance(result, Ambiguous) else ()
