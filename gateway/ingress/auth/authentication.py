"""Authentication: who is the caller? API keys, tokens (JWT) and signatures (Standard Webhooks).

The innermost middleware. It sets Starlette's `request.user` and rejects no caller: an endpoint that needs one calls
`permissions.AccessControl.admit`. A verified signature also removes the signer's name from the query.
"""

import time
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.oidc.tokens import Tokens
from gateway.ingress.auth.callers import KEY_PREFIX, Caller
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.auth.signatures import verify
from gateway.ingress.http.context import context_of
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.request import read_body
from gateway.ingress.http.responses import ProblemResponse

_BEARER = b"bearer "
_KEY_START = KEY_PREFIX.encode() + b"_"
_MAX_CREDENTIAL_BYTES = 8 << 10
_NO_SECRET = (bytes(32),)


class Authentication:
    """Identifies the caller of every request by the one credential that it carries."""

    def __init__(self, app: ASGIApp, callers: CallersFile, tokens: Tokens) -> None:
        self.app = app
        self._callers = callers
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = context_of(scope).headers
        authorization = headers.get(b"authorization")
        scope["user"] = None
        if authorization is not None:
            credential = authorization[7:].strip()
            if authorization[:7].lower() != _BEARER or len(authorization) > _MAX_CREDENTIAL_BYTES:
                pass
            elif credential.startswith(_KEY_START):
                scope["user"] = self._callers.current.by_key(credential.decode("latin-1"), time.time())
            else:
                scope["user"] = await self._token_subject(credential)
        elif b"webhook-signature" in headers:
            try:
                body = await read_body(receive)
            except Problem as problem:
                await ProblemResponse(problem)(scope, receive, send)
                return
            scope["user"] = self._signer(scope, headers, body)
            receive = _replayed(body, receive)
        await self.app(scope, receive, send)

    async def _token_subject(self, credential: bytes) -> Caller | None:
        if credential.count(b".") != 2 or not self._callers.current.issuers:
            return None
        # This may wait for the issuer's keys.
        subject = await self._tokens.subject(credential.decode("latin-1"))
        return None if subject is None else self._callers.current.by_subject(subject)

    def _signer(self, scope: Scope, headers: Mapping[bytes, bytes], body: bytes) -> Caller | None:
        """Return the caller that signed the body. The query's `caller` names it, so a guess costs one comparison.

        An unknown name needs the same body and the same comparison, so that no response shows which names exist.
        """
        # The server bounds the URL, and so the number of parameters.
        terms = scope["query_string"].split(b"&")
        at, name = next(((at, name) for at, term in enumerate(terms) if (name := _caller_in(term))), (0, ""))
        signer = self._callers.current.signer(name)
        secrets = _NO_SECRET if signer is None else signer.signing_secrets
        signed_id = verify(headers, body, secrets, time.time())
        if signer is None or signed_id is None:
            return None
        context_of(scope).signed_id = signed_id
        scope["query_string"] = b"&".join(terms[:at] + terms[at + 1 :])
        return signer.caller


def _caller_in(term: bytes) -> str:
    """Return the value of the parameter `caller`; "" for another parameter."""
    if b"%" in term or b"+" in term:
        name, value = (parse_qsl(term.decode("latin-1")) or [("", "")])[0]
        return value if name == "caller" else ""
    return term[7:].decode("latin-1") if term.startswith(b"caller=") else ""


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that delivers the body again, because an endpoint reads the body on its own."""
    is_replayed = False

    async def replay() -> Message:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
