"""The methods of requests."""

from typing import Final

from starlette.types import Scope

# RFC 9110 without CONNECT, and PATCH: the methods that OpenAPI describes.
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
READS: Final = frozenset({"GET", "HEAD"})


def method_label(scope: Scope) -> str:
    """Return the method of a request; `other` for another name, because callers choose it and labels are bounded."""
    method: str = scope["method"]
    return method if method in METHODS else "other"
