"""From what came over the wire to a value of `answers`, and to what it says about Collate. Pure.

Typed means: Collate's own error body (collate-api.md section 7). A 4xx without one is some gateway's page: no answer.
Of an error only code, retryable, versions, details.reason and requestId are kept; message and issues may quote people.
"""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from pydantic import ValidationError

from adapters.collate.answers import Ambiguous, Answered, Cause, NotSent, Refused, Result
from adapters.collate.budget import CallSignal
from adapters.collate.connection import NoReply
from adapters.collate.http_response import HttpResponse
from schemas.collate.errors import ErrorEnvelope
from schemas.field_types import UNRECOGNISED, word

Model = TypeVar("Model")

LONGEST_SECONDS: Final = 3_600.0
_SECONDS: Final = re.compile(r"\d{1,12}(\.\d{1,6})?")

_BY_STATUS = {401: CallSignal.KEY_REFUSED, 403: CallSignal.FORBIDDEN, 429: CallSignal.LIMITED}


def read(
    reply: HttpResponse | NoReply,
    parse: Callable[[bytes], Model],
    belongs: Callable[[Model], bool],
    *,
    keep_body: bool,
    now: float,
) -> tuple[Result[Model], CallSignal]:
    """Return the result of a call and what it says about Collate.

    `parse` raises ValueError for a body that is not what it should be; `belongs` says whether it answers this request.
    `now` is Unix time.
    """
    if isinstance(reply, NoReply):
        result = Ambiguous(reply.cause, reply.status) if reply.sent else NotSent(reply.cause)
        return result, CallSignal.FAILED
    if 200 <= reply.status < 300:
        return _read_success(reply, parse, belongs, keep_body=keep_body)
    return _read_error(reply, now)


def _read_success(
    reply: HttpResponse, parse: Callable[[bytes], Model], belongs: Callable[[Model], bool], *, keep_body: bool
) -> tuple[Result[Model], CallSignal]:
    request_id = _header_request_id(reply)
    try:
        model = parse(reply.body)
    except ValueError:
        return Ambiguous(Cause.UNREADABLE, reply.status, request_id=request_id), CallSignal.FAILED
    if not belongs(model):
        return Ambiguous(Cause.MISMATCHED, reply.status, request_id=request_id), CallSignal.FAILED
    return Answered(reply.status, model, reply.body if keep_body else b"", request_id), CallSignal.ANSWERED


def _read_error(reply: HttpResponse, now: float) -> tuple[Refused | Ambiguous, CallSignal]:
    status = reply.status
    wait = retry_after_seconds(reply.headers.get(b"retry-after"), now)
    envelope = _typed(reply)
    request_id = (envelope.request_id if envelope else None) or _header_request_id(reply)
    error = envelope.error if envelope else None
    code = error.code if error and error.code != UNRECOGNISED else None
    if status >= 500 or error is None:
        cause = Cause.SERVER_ERROR if status >= 500 else Cause.REDIRECT if status < 400 else Cause.UNTYPED
        heard = _BY_STATUS.get(status, CallSignal.FAILED) if status in {401, 429} else CallSignal.FAILED
        return Ambiguous(cause, status, code, wait, request_id), heard
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


def retry_after_seconds(value: bytes | None, now: float) -> float | None:
    """Return the wait that a Retry-After header asks for (RFC 9110 section 10.2.3): seconds or a date.

    `now` is Unix time. A date in the past is 0; a wait longer than an hour is an hour; an unreadable value is None.
    """
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, seconds), LONGEST_SECONDS)


def _typed(reply: HttpResponse) -> ErrorEnvelope | None:
    if reply.status < 400:
        return None
    try:
        return ErrorEnvelope.from_wire(reply.body)
    except ValidationError:
        return None


def _header_request_id(reply: HttpResponse) -> str | None:
    value = reply.headers.get(b"x-request-id") or reply.headers.get(b"request-id")
    return word(value.decode("latin-1")) if value else None
