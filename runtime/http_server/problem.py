"""The base of all problems (RFC 9457) and how a problem is rendered. `port_problems` has the tree of kinds."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:collate-gateway:problem:"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to fix. Exactly one of pointer (RFC 6901), header and parameter is set."""

    expected: str
    pointer: str | None = None
    header: str | None = None
    parameter: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the members that are set, in reading order."""
        where = {"pointer": self.pointer, "header": self.header, "parameter": self.parameter}
        return {name: value for name, value in where.items() if value is not None} | {"detail": self.expected}


class Problem(Exception):
    """The gateway can't serve the request."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "problem"
    # Whether this replica lacks what another one may have: a new connection may reach another replica.
    is_of_replica: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        retry_after_seconds: float | None = None,
        headers: dict[str, str] | None = None,
        close: bool = False,
        members: Mapping[str, str | float | list[str]] | None = None,
    ) -> None:
        """`detail` says what to do next. `close` ends the connection, because a part of the body is unread."""
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.retry_after_seconds = retry_after_seconds
        self.extra_headers = headers or {}
        self.close = close
        self.members = members or {}

    @classmethod
    def title(cls) -> str:
        """Return the first line of the class's docstring. RFC 9457 wants the same title for every occurrence."""
        return (cls.__doc__ or "").strip().partition("\n")[0].removesuffix(".")

    def body(self, request_id: str) -> bytes:
        """Render the body."""
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

    def headers(self) -> dict[str, str]:
        """Return the headers of this problem."""
        headers = {"content-type": MEDIA_TYPE, **self.extra_headers}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.retry_after_seconds)))
        if self.close or self.is_of_replica:
            headers["connection"] = "close"
        return headers
