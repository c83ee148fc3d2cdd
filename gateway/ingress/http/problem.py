"""A problem as RFC 9457 wants it: what every kind has, and how it is rendered. `problems` lists the kinds."""

import json
import math
from dataclasses import dataclass
from typing import ClassVar

MEDIA_TYPE = b"application/problem+json"
TYPE_PREFIX = "urn:collate-gateway:problem:"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to fix: exactly one of pointer (RFC 6901), header or parameter says where."""

    expected: str
    pointer: str | None = None
    header: str | None = None
    parameter: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the members that are set, in reading order."""
        where = {"pointer": self.pointer, "header": self.header, "parameter": self.parameter}
        return {name: value for name, value in where.items() if value is not None} | {"detail": self.expected}


class Problem(Exception):
    """The request could not be served."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "problem"

    def __init__(
        self,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        retry_after_seconds: float | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        close: bool = False,
        members: dict[str, str | bool | int] | None = None,
    ) -> None:
        """Say what to do next in `detail`; `close` ends the connection, because its body was not read to the end."""
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.retry_after_seconds = retry_after_seconds
        self.extra_headers = headers
        self.close = close
        self.members = members or {}

    @classmethod
    def title(cls) -> str:
        """Return the class's docstring: the same for every occurrence, as RFC 9457 asks."""
        return (cls.__doc__ or "").strip().partition("\n")[0].removesuffix(".")

    def body(self, request_id: str) -> bytes:
        """Render application/problem+json."""
        document: dict[str, object] = {
            "type": TYPE_PREFIX + self.slug,
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
            "requestId": request_id,
        }
        if self.faults:
            document["errors"] = [fault.as_json() for fault in self.faults]
        document.update(self.members)
        return json.dumps(document).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that belong to this problem, beside its media type."""
        headers = [(b"content-type", MEDIA_TYPE), *self.extra_headers]
        if self.retry_after_seconds is not None:
            headers.append((b"retry-after", str(max(1, math.ceil(self.retry_after_seconds))).encode()))
        if self.close:
            headers.append((b"connection", b"close"))
        return headers
