"""The security headers of every response. A page's own header replaces the default."""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_YEAR_AND_MORE: Final = "max-age=63072000"


def content_security_policy(form_targets: Sequence[str] = ()) -> str:
    """Return the policy. `form_targets` are further origins to which a form may lead, directly or by a redirect."""
    targets = " ".join(("'self'", *form_targets))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def security_headers(*, encrypted: bool) -> dict[str, str]:
    """Return the headers. `encrypted`: browsers reach the console by https."""
    return {
        "cache-control": "no-store",
        "content-security-policy": content_security_policy(),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        # `no-referrer` would also remove the Origin of our own forms, which `CrossSiteCheck` reads.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        **({"strict-transport-security": _YEAR_AND_MORE} if encrypted else {}),
    }


class SecurityHeaders:
    """Adds the headers to each response."""

    def __init__(self, app: ASGIApp, *, encrypted: bool) -> None:
        """`encrypted`: browsers reach the console by https."""
        self.app = app
        self._headers = security_headers(encrypted=encrypted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
