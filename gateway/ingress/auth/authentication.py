"""Credentials that take an await: a token's issuer may have to be asked for its keys, a signature covers the body.

An ASGI application between edge and router. It leaves the caller at the exchange; whether that is enough is the gate's
decision. API keys pass by: the gate looks them up itself.
"""

import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.oidc.tokens import Tokens
from gateway.ingress.auth.callers import KEY_PREFIX, Caller, Callers
from gateway.ingress.auth.signatures import verify
from gateway.ingress.http.exchange import Exchange

BEARER = b"bearer "
LONGEST_CREDENTIAL = 8 << 10
_KEY = KEY_PREFIX.encode() + b"_"
_NO_SECRET = (bytes(32),)


class Authentication:
    """Verifies tokens and signatures, and goes on to the router."""

    def __init__(
        self,
        router: ASGIApp,
        callers: Callable[[], Callers],
        tokens: Tokens,
        *,
        max_body: int,
        deadline_seconds: float,
    ) -> None:
        self.router = router
        self._callers = callers
        self._tokens = tokens
        self._max_body = max_body
        self._deadline_seconds = deadline_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look for a credential of either kind."""
        exchange: Exchange = scope["exchange"]
        authorization = exchange.headers.get(b"authorization")
        if authorization is None:
            if b"webhook-signature" in exchange.headers:
                exchange.verified = await self._signer(exchange)
        elif authorization[:7].lower() == BEARER and not authorization[7:].startswith(_KEY):
            exchange.verified = await self._subject(authorization[7:].strip())
        await self.router(scope, receive, send)

    async def _subject(self, credential: bytes) -> Caller | None:
        if credential.count(b".") != 2 or len(credential) > LONGEST_CREDENTIAL or not self._callers().issuers:
            return None
        subject = await self._tokens.subject(credential.decode("latin-1"))
        return None if subject is None else self._callers().by_subject(subject)

    async def _signer(self, exchange: Exchange) -> Caller | None:
        """Return who signed. The URL's `caller` says whose secrets to try, so that a guess costs one comparison.

        A name that is nobody's costs the same body and comparison, so that no answer tells which names there are.
        """
        # The URL's length is bounded, and so is the number of fields.
        query = parse_qs(exchange.scope["query_string"].decode("latin-1"))
        signer = self._callers().signer(query.get("caller", [""])[0])
        body = await exchange.body(self._max_body, self._deadline_seconds)
        secrets = _NO_SECRET if signer is None else signer.signing_secrets
        signed_id = verify(exchange.headers, body, secrets, time.time())
        if signer is None or signed_id is None:
            return None
        exchange.signed_id = signed_id
        return signer.caller
