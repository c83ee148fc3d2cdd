"""Authentication of callers by API keys and tokens (JWT). `signed_commands` verifies signatures.

The innermost middleware. It sets Starlette's `request.user` and rejects no caller: an endpoint that needs one calls
`permissions.AccessControl.admit`.
"""

import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.oidc.tokens import Subject, Tokens
from gateway.ingress.api_http.context import context_of
from gateway.ingress.auth.callers import KEY_PREFIX
from gateway.ingress.auth.callers_file import CallersFile

_BEARER = b"bearer "
_KEY_START = KEY_PREFIX.encode() + b"_"
_MAX_BYTES = 8 << 10


class Authentication:
    """Identifies the caller of every request by the credential in its `Authorization` header."""

    def __init__(self, app: ASGIApp, callers: CallersFile, tokens: Tokens) -> None:
        self.app = app
        self._callers = callers
        self._tokens = tokens

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. Only a token takes a coroutine, because it may wait for the issuer's keys."""
        authorization = context_of(scope).headers.get(b"authorization")
        caller = None
        if authorization is not None and authorization[:7].lower() == _BEARER and len(authorization) <= _MAX_BYTES:
            credential = authorization[7:].strip()
            if not credential.startswith(_KEY_START):
                return self._serve_with_token(credential, scope, receive, send)
            caller = self._callers.current.by_key(credential.decode("latin-1"), time.time())
        scope["user"] = caller
        return self.app(scope, receive, send)

    async def _serve_with_token(self, credential: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        subject = None
        if credential.count(b".") == 2 and self._callers.current.issuers:
            subject = await self._tokens.subject(credential.decode("latin-1"))
        match subject:
            case Subject():
                scope["user"] = self._callers.current.by_subject(subject)
            case unchecked:
                scope["user"] = None
                context_of(scope).unchecked = unchecked
        await self.app(scope, receive, send)
