"""What a call can raise.

    GatewayError
    ├─ GatewayProblem   the gateway answered with a problem (RFC 9457), or a proxy with an error status
    ├─ NotAnswered      no usable answer before the deadline: the connection failed, or every try timed out
    └─ NotFinished      `wait` ended before the command's outcome; the command is stored

No text of these contains a header, a body that was sent, or a message of Collate.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from collate_gateway_client.retries import RETRIED_STATUSES, retry_after

PREFIX: Final = "urn:collate-gateway:problem:"
_UNKNOWN_RESULT: Final = frozenset({500, 502, 503, 504})
_OWN_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "requestId", "errors"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct in a request. One of `pointer`, `header` and `parameter` is set.

    Attributes:
        expected: The value that the gateway expects; never the value that it found.
        pointer: A JSON pointer (RFC 6901) into the body; `""` is the whole body.
    """

    expected: str
    pointer: str | None = None
    header: str | None = None
    parameter: str | None = None

    @property
    def where(self) -> str:
        """The pointer, the header or the parameter."""
        return self.pointer or self.header or self.parameter or ""


class GatewayError(Exception):
    """A call without a result.

    Attributes:
        idempotency_key: The key of the call; None for a read. The same call with this key is the same command.
        earlier_try_is_unknown: Whether an earlier try of the same call may have stored the command.
    """

    idempotency_key: str | None = None
    earlier_try_is_unknown: bool = False

    @property
    def result_is_unknown(self) -> bool:
        """Whether the command may be stored. Then send it again with `idempotency_key`, within a day."""
        return self.earlier_try_is_unknown


class NotAnswered(GatewayError):
    """No usable answer arrived before the deadline. A command may be stored.

    `reason` says why, without an address, such as `connection refused`.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(f"{message}: {reason}" if reason else message)
        self.reason = reason or message

    @property
    def result_is_unknown(self) -> bool:
        """Whether the command may be stored."""
        return self.idempotency_key is not None


class NotFinished(GatewayError):
    """`wait` ended before the outcome. The command is stored and will end, or an operator must decide.

    Attributes:
        command: The last status: `CommandAccepted` or `CommandStatus`.
    """

    def __init__(self, command: Mapping[str, Any], idempotency_key: str | None) -> None:
        self.command = command
        self.idempotency_key = idempotency_key
        super().__init__(f"command {self.command_id} has no outcome yet: it is {self.status}")

    @property
    def command_id(self) -> str:
        """The command's id."""
        return str(self.command.get("commandId", ""))

    @property
    def status(self) -> str:
        """accepted, waiting, or dead_lettered: an operator must decide."""
        return str(self.command.get("status", "accepted"))


class GatewayProblem(GatewayError):
    """The gateway refused or could not serve the request.

    Attributes:
        status: The HTTP status.
        slug: The stable last part of `type`, such as `invalid-command`; `about:blank` for an answer of a proxy.
        type: The problem's URN.
        title: A short text, the same for each occurrence.
        detail: What to do next.
        request_id: The id in the gateway's log.
        faults: What to correct in the request.
        retry_after_seconds: The gateway's Retry-After, if it sent one.
        members: The further members, such as `reason`, `handoffId`, `claimedBy` or `kept`. No text form shows them:
            `message` is a text of Collate for the operator.
    """

    def __init__(self, status: int, document: Mapping[str, object], headers: Mapping[str, str]) -> None:
        self.status = status
        self.type = str(document.get("type", "about:blank"))
        self.slug = self.type.removeprefix(PREFIX)
        self.title = str(document.get("title", "an error without a problem document"))
        self.detail = str(document.get("detail", ""))
        self.request_id = str(document.get("requestId") or headers.get("x-request-id", ""))
        self.faults = tuple(_faults(document.get("errors")))
        self.retry_after_seconds = retry_after(headers)
        self.members = {name: value for name, value in document.items() if name not in _OWN_MEMBERS}
        super().__init__(status, self.slug)

    @property
    def is_of_the_api(self) -> bool:
        """Whether the gateway wrote the answer, and not a proxy or another server at its address."""
        return self.type.startswith(PREFIX)

    @property
    def reason(self) -> str | None:
        """The reason of a live call, for programs."""
        reason = self.members.get("reason")
        return None if reason is None else str(reason)

    @property
    def result_is_unknown(self) -> bool:
        """Whether the command may be stored. `kept: no` says that this try did not store it."""
        is_command = self.idempotency_key is not None
        is_unknown = self.status in _UNKNOWN_RESULT and self.members.get("kept") != "no"
        return self.earlier_try_is_unknown or (is_command and is_unknown)

    def __str__(self) -> str:
        where = "; ".join(f"{fault.where}: {fault.expected}" for fault in self.faults)
        parts = (f"{self.status} {self.slug}: {self.title}. {self.detail}", where, f"request {self.request_id}")
        return " | ".join(part for part in parts if part.strip())

    def __repr__(self) -> str:
        return f"GatewayProblem({self})"


def problem_of(status: int, headers: Mapping[str, str], content: bytes) -> GatewayProblem:
    """Return the problem in an answer. Another body, such as a proxy's page, is dropped."""
    try:
        document = json.loads(content) if "json" in headers.get("content-type", "") else None
    except (ValueError, RecursionError):
        document = None
    return GatewayProblem(status, document if isinstance(document, dict) else {}, headers)


def is_retried(error: GatewayError) -> bool:
    """Return whether another try may have another result."""
    return isinstance(error, NotAnswered) or (isinstance(error, GatewayProblem) and error.status in RETRIED_STATUSES)


def reason_of(error: BaseException) -> str:
    """Return why a try failed, in the words of the system or of TLS, else the name of the error.

    The texts of HTTP libraries are left out, because they quote headers.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return (
                f"{(cause.reason or type(cause).__name__).replace('_', ' ').lower()} (is its certificate trusted here?)"
            )
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _faults(errors: object) -> list[Fault]:
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return [
        Fault(str(error.get("detail", "")), error.get("pointer"), error.get("header"), error.get("parameter"))
        for error in found
    ]
