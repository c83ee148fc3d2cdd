"""Converts a response or a failed call to a value of `answers` and a `CallSignal`. Pure.

A 4xx counts as Refused only with Collate's own error body (docs/collate-contract.md §7); another body comes from a
proxy in between. Only code, retryable, versions, details.reason and requestId of an error are kept, because message
and issues may contain personal data.
"""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx
from pydantic import ValidationError

from adapters.collate.answers import Ambiguous, Answered, Cause, NotSent, Refused, Result
from adapters.collate.budget import CallSignal
from adapters.collate.connection import NoResponse
from schemas.collate.errors import ErrorEnvelope
from schemas.field_types import UNRECOGNISED, word

Model = TypeVar("Model")

LONGEST_SECONDS: Final = 3_600.0
_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")

_BY_STATUS = {401: CallSignal.KEY_REFUSED, 403: CallSignal.FORBIDDEN, 429: CallSignal.LIMITED}


def read(
    response: httpx.Response | NoResponse,
    parse: Callable[[bytes], Model],
    belongs: Callable[[Model], bool],
    *,
    keep_body: bool,
    now: float,
) -> tuple[Result[Model], CallSignal]:
    """Return the result of a call, and its signal for the budget.

    `parse` raises ValueError for an invalid body; `belongs` checks that the body is about this request's object. `now`
    is Unix time.
    """
    if isinstance(response, NoResponse):
        result = (
            Ambiguous(response.cause, response.status) if response.sent else NotSent(response.cause, response.status)
        )
        return result, CallSignal.FAILED
    if 200 <= response.status_code < 300:
        return _read_success(response, parse, belongs, keep_body=keep_body)
    return _read_error(response, now)


def _read_success(
    response: httpx.Response, parse: Callable[[bytes], Model], belongs: Callable[[Model], bool], *, keep_body: bool
) -> tuple[Result[Model], CallSignal]:
    request_id = _header_request_id(response)
    try:
        model = parse(response.content)
    except ValueError:
        return Ambiguous(Cause.UNREADABLE, response.status_code, request_id=request_id), CallSignal.FAILED
    if not belongs(model):
        return Ambiguous(Cause.MISMATCHED, response.status_code, request_id=request_id), CallSignal.FAILED
    return Answered(
        response.status_code, model, response.content if keep_body else b"", request_id
    ), CallSignal.ANSWERED


def _read_error(response: httpx.Response, now: float) -> tuple[Refused | Ambiguous, CallSignal]:
    status = response.status_code
    wait = retry_after_seconds(response.headers.get("retry-after"), now)
    envelope = _typed(response)
    request_id = (envelope.request_id if envelope else None) or _header_request_id(response)
    error = envelope.error if envelope else None
    code = error.code if error and error.code != UNRECOGNISED else None
    if status >= 500 or error is None:
        cause = Cause.SERVER_ERROR if status >= 500 else Cause.REDIRECT if status < 400 else Cause.UNTYPED
        signal = _BY_STATUS.get(status, CallSignal.FAILED) if status in {401, 429} else CallSignal.FAILED
        return Ambiguous(cause, status, code, wait, request_id), signal
    details = error.details
    refused = Refused(
        status=status,
        code=code,
        retryable=error.retryable,
        retry_after_seconds=wait,
        request_id=request_id,
        expected_version=details.expected_version if details else None,
        actual_version=details.actual_version if details else None,
        details_reason=details.reason if details else None,
    )
    return refused, _BY_STATUS.get(status, CallSignal.ANSWERED)


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Return the wait that a Retry-After header asks for (RFC 9110 section 10.2.3): seconds or a date.

    `now` is Unix time. A date in the past is 0; a wait longer than an hour is an hour; an unreadable value is None.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, seconds), LONGEST_SECONDS)


def _typed(response: httpx.Response) -> ErrorEnvelope | None:
    if response.status_code < 400:
        return None
    try:
        return ErrorEnvelope.from_wire(response.content)
    except ValidationError:
        return None


def _header_request_id(response: httpx.Response) -> str | None:
    # A loop over the raw headers: a missing name costs httpx.Headers an exception, and most responses miss both.
    found = [value for name, value in response.headers.raw if name in {b"x-request-id", b"request-id"}]
    return word(found[0].decode("latin-1")) if found else None
