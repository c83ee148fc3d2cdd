"""The outcome of a call of the gateway's HTTP API: an answer, a refusal, or no response of the API. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_KNOWN_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "requestId", "errors"})


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The API answered with 2xx or 304. `body` is the parsed JSON, `content` its bytes."""

    status: int
    body: Any
    headers: Mapping[str, str]
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ProblemPointer:
    """One wrong field of a refused request: `where` is a JSON pointer, a header or a parameter."""

    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class ApiRefusal:
    """The API answered with a problem (RFC 9457). `members` are the further members of the problem."""

    status: int
    slug: str
    title: str
    detail: str
    request_id: str
    pointers: tuple[ProblemPointer, ...] = ()
    retry_after_seconds: int | None = None
    members: Mapping[str, Any] | None = None

    @property
    def is_unchecked(self) -> bool:
        """Whether the API could not check the credential: the credential may be valid."""
        return self.slug == "credentials-unchecked"


@dataclass(frozen=True, slots=True)
class ApiNotReached:
    """The API did not respond. The result of a command is then unknown; the same key may be sent again."""

    reason: str


ApiOutcome = ApiAnswer | ApiRefusal | ApiNotReached


def read_outcome(status: int, headers: Mapping[str, str], content: bytes) -> ApiOutcome:
    """Return the outcome of a call that got a response. The names of `headers` are found in any case."""
    if status == 304 or (200 <= status < 300 and not content):
        return ApiAnswer(status, None, headers)
    try:
        body = json.loads(content) if "json" in headers.get("content-type", "") else None
    except (ValueError, RecursionError):
        body = None
    if 200 <= status < 300 and body is not None:
        return ApiAnswer(status, body, headers, content)
    if status >= 400 and isinstance(body, dict) and isinstance(body.get("title"), str):
        return _refusal(status, body, headers)
    return ApiNotReached(f"status {status} without an answer of the API; is GATEWAY_CONSOLE__API_URL the ingress?")


def _refusal(status: int, body: dict[str, Any], headers: Mapping[str, str]) -> ApiRefusal:
    faults = body.get("errors")
    retry_after = headers.get("retry-after", "")
    return ApiRefusal(
        status,
        slug=str(body.get("type", "")).rpartition(":")[2],
        title=body["title"],
        detail=str(body.get("detail", "")),
        request_id=str(body.get("requestId") or headers.get("x-request-id", "")),
        pointers=tuple(
            ProblemPointer(
                str(one.get("pointer") or one.get("header") or one.get("parameter") or ""), str(one.get("detail", ""))
            )
            for one in (faults if isinstance(faults, list) else ())
            if isinstance(one, dict)
        ),
        retry_after_seconds=int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None,
        members={name: value for name, value in body.items() if name not in _KNOWN_MEMBERS},
    )
