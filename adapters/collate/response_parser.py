"""Converts a response or a failed call to a value of `answers` and a `CallSignal`. Pure.

A 4xx counts as Refused only with Collate's own error body (docs/collate-contract.md §7); another body comes from a
proxy in between. Only code, retryable, versions, details.reason and requestId of an error are kept, because message
and issues may contain personal data.
"""

import json
import re
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Final, TypeVar, cast

import httpx
from pydantic import ValidationError

from adapters.collate.answers import WHOLE_BODY, Ambiguous, Answered, NotSent, Refused, Result
from adapters.collate.call_policy.calls import CallSignal
from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import NoResponse
from adapters.http_connection.retry_after import retry_after_seconds
from schemas.collate.errors import ErrorEnvelope
from schemas.fields.scalars import UNRECOGNISED, word

Model = TypeVar("Model")

_MOST_FIELDS: Final = 3
_PATH: Final = re.compile(r"[A-Za-z]{1,40}(\.[A-Za-z]{1,40}){0,5}")

_BY_STATUS = {401: CallSignal.KEY_REFUSED, 403: CallSignal.FORBIDDEN, 429: CallSignal.LIMITED}


def read(
    response: httpx.Response | NoResponse,
    parse: Callable[[bytes], Model],
    belongs: Callable[[Model], bool],
    *,
    keep_body: bool,
    now: float,
    about: Collection[str] = (),
) -> tuple[Result[Model], CallSignal]:
    """Return the result of a call, and its signal for the budget.

    `parse` raises ValueError for an invalid body; `belongs` checks that the body is about this request's object. `now`
    is Unix time. `about` are the ids of the request: an unreadable body that has one of them still shows that Collate
    works.
    """
    if isinstance(response, NoResponse):
        result = (
            Ambiguous(response.cause, response.status) if response.sent else NotSent(response.cause, response.status)
        )
        return result, CallSignal.FAILED
    if 200 <= response.status_code < 300:
        return _read_success(response, parse, belongs, keep_body=keep_body, about=about)
    return _read_error(response, now)


def _read_success(
    response: httpx.Response,
    parse: Callable[[bytes], Model],
    belongs: Callable[[Model], bool],
    *,
    keep_body: bool,
    about: Collection[str],
) -> tuple[Result[Model], CallSignal]:
    request_id, body = _header_request_id(response), _body(response)
    try:
        model = parse(body)
    except ValueError as error:
        unreadable = Ambiguous(
            Cause.UNREADABLE, response.status_code, request_id=request_id, fields=unreadable_fields(error)
        )
        return unreadable, _signal_of_unreadable(body, about)
    if not belongs(model):
        mismatched = Ambiguous(Cause.MISMATCHED, response.status_code, request_id=request_id, fields=("id",))
        return mismatched, CallSignal.FAILED
    return Answered(response.status_code, model, body if keep_body else b"", request_id), CallSignal.ANSWERED


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


def unreadable_fields(error: ValueError) -> tuple[str, ...]:
    """Return the paths of the fields that could not be read, at most three; `body` if it is no JSON object.

    A path has names of our wire models only: unknown names of a body are ignored and so cause no error.
    """
    if not isinstance(error, ValidationError):
        return (WHOLE_BODY,)
    details = error.errors(include_url=False, include_context=False, include_input=False)
    paths = [".".join(part for part in detail["loc"] if isinstance(part, str)) for detail in details]
    return tuple(dict.fromkeys(path if _PATH.fullmatch(path) else WHOLE_BODY for path in paths))[:_MOST_FIELDS]


def _signal_of_unreadable(body: bytes, about: Collection[str]) -> CallSignal:
    """An object about this request comes from a Collate that works; another object may come from a proxy."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return CallSignal.FAILED
    if not isinstance(document, dict):
        return CallSignal.FAILED
    ids = [document.get(name) for name in ("id", "manualHandoffId", "priorAuthorizationId")]
    return (
        CallSignal.ANSWERED if any(known in about for known in ids if isinstance(known, str)) else CallSignal.UNREADABLE
    )


def digest_of(body: bytes) -> bytes:
    """Return the digest by which a repeated body is recognised."""
    return blake2b(body, digest_size=16).digest()


def unless(digest: bytes, parse: Callable[[bytes], Model]) -> Callable[[bytes], Model | None]:
    """Return a parser that skips the body with this digest and returns None for it."""
    return lambda body: None if digest_of(body) == digest else parse(body)


def _body(response: httpx.Response) -> bytes:
    """Return the body of a response of our transport: whole and never compressed.

    httpx's own `read` looks for decoders first. That costs more than the rest of the response.
    """
    return b"".join(cast("httpx.ByteStream", response.stream))


def _typed(response: httpx.Response) -> ErrorEnvelope | None:
    if response.status_code < 400:
        return None
    try:
        return ErrorEnvelope.from_wire(_body(response))
    except ValidationError:
        return None


def _header_request_id(response: httpx.Response) -> str | None:
    found = response.headers.get("x-request-id") or response.headers.get("request-id")
    return word(found) if found else None
