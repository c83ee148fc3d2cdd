"""The authorization code flow of OpenID Connect with PKCE, as a client: begin, finish, refresh.

The checks: `state` and `nonce` are random and of one sign-in; `iss` of the response (RFC 9207) and the issuer of the
discovery document are the configured issuer; the ID token has the client as its audience, the nonce, and a signature
of the issuer. The access token belongs to the API, so it is not read here.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from adapters.oidc.jwks import Fetch, KeysUnavailable, fetch
from adapters.oidc.tokens import ALGORITHMS, Issuer, Tokens
from runtime.http_client import Fetched, HttpClient
from runtime.logs import get_log
from runtime.settings import read_secret

FRESH_SECONDS: Final = 600.0
CALL_SECONDS: Final = 5.0
# An issuer accepts a refresh token once: a call that is given up may have spent it, and would sign the person out.
REFRESH_SECONDS: Final = 30.0
MOST_CALLS: Final = 16
MOST_BYTES: Final = 256 << 10
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")

log = get_log()
Send = Callable[[str, str, dict[str, str], bytes | None], Fetched]
"""Sends a request (method, URL, headers, body) and returns the response. Raises httpx.HTTPError, httpx.InvalidURL."""


@dataclass(frozen=True, slots=True)
class OidcClient:
    """The console as its issuer knows it. Without a secret it is a public client."""

    issuer: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    secret_file: Path | None = None
    resource: str | None = None


class FlowFault(StrEnum):
    """Why a sign-in failed."""

    issuer_away = "issuer_away"
    issuer_mismatch = "issuer_mismatch"
    denied = "denied"
    refused = "refused"
    invalid_token = "invalid_token"  # noqa: S105 - a fault's name


@dataclass(frozen=True, slots=True)
class FlowFailed:
    """The sign-in failed. `code` is the issuer's error code, if it sent a usable one."""

    fault: FlowFault
    code: str = ""


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What the browser keeps, encrypted, until the issuer sends it back; and the address that it goes to."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TokenSet:
    """The tokens of a person. `seconds` is the lifetime of the access token, if the issuer said it."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    seconds: float | None


@dataclass(frozen=True, slots=True)
class _Provider:
    issuer: str
    authorization: str
    token: str
    keys: str
    end_session: str | None
    algorithms: frozenset[str]
    sends_iss: bool
    basic_auth: bool


def send_request(method: str, url: str, headers: dict[str, str], content: bytes | None) -> Fetched:
    """Send a request to the issuer, with the bounds of the longest call."""
    client = HttpClient(url, seconds=REFRESH_SECONDS, max_bytes=MOST_BYTES)
    return client.send(method, url, headers=headers, content=content)


class CodeFlow:
    """The flow at one issuer. Keeps the discovery document for ten minutes."""

    def __init__(
        self,
        client: OidcClient,
        send: Send = send_request,
        fetch_from: Fetch = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._send = send
        self._clock = clock
        self._provider: _Provider | None = None
        self._provider_read_at = float("-inf")
        self._reading = asyncio.Lock()
        # Threads of its own: an issuer that hangs must not delay other work in threads.
        self._threads = ThreadPoolExecutor(MOST_CALLS, "issuer")
        self._tokens = Tokens(self._issuers, fetch_from)

    async def begin(self, demands: Mapping[str, str] = MappingProxyType({})) -> PendingSignIn | FlowFailed:
        """Return a new sign-in with the address of the issuer's page; `demands` are `acr_values` and `max_age`."""
        provider = await self._discover()
        if isinstance(provider, FlowFailed):
            return provider
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": " ".join(self._client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge(verifier),
            "code_challenge_method": "S256",
            **demands,
        } | ({} if self._client.resource is None else {"resource": self._client.resource})
        joint = "&" if "?" in provider.authorization else "?"
        return PendingSignIn(state, nonce, verifier, f"{provider.authorization}{joint}{urlencode(query)}")

    async def finish(self, pending: PendingSignIn, response: Mapping[str, str]) -> TokenSet | FlowFailed:
        """Exchange the code of the issuer's response for tokens. The caller has compared `state` with the pending one.

        Args:
            pending: the sign-in that the browser began.
            response: the query of the redirect.
        """
        provider = await self._discover()
        if isinstance(provider, FlowFailed):
            return provider
        if response.get("iss", provider.issuer) != provider.issuer or (provider.sends_iss and "iss" not in response):
            return FlowFailed(FlowFault.issuer_mismatch)
        if "error" in response:
            return FlowFailed(FlowFault.denied, _code(response["error"]))
        body = await self._token_call(
            provider,
            {
                "grant_type": "authorization_code",
                "code": response.get("code", ""),
                "redirect_uri": self._client.redirect_uri,
                "code_verifier": pending.verifier,
            },
        )
        if isinstance(body, FlowFailed):
            return body
        id_token = body.get("id_token")
        claims = await self._tokens.claims(id_token) if isinstance(id_token, str) else None
        if isinstance(claims, KeysUnavailable):
            return FlowFailed(FlowFault.issuer_away)
        if claims is None or not self._are_for_us(claims, pending.nonce):
            return FlowFailed(FlowFault.invalid_token)
        return _token_set(body)

    async def refresh(self, refresh_token: str) -> TokenSet | FlowFailed:
        """Return new tokens for a refresh token."""
        provider = await self._discover()
        if isinstance(provider, FlowFailed):
            return provider
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        body = await self._token_call(provider, form, seconds=REFRESH_SECONDS)
        if isinstance(body, FlowFailed):
            return body
        renewed = _token_set(body)
        if isinstance(renewed, TokenSet) and renewed.refresh_token is None:
            return TokenSet(renewed.access_token, refresh_token, renewed.seconds)
        return renewed

    async def end_session_url(self, back_to: str) -> str | None:
        """Return the issuer's address that signs the person out there too; None if it has none."""
        provider = await self._discover()
        if isinstance(provider, FlowFailed) or provider.end_session is None:
            return None
        query = urlencode({"client_id": self._client.client_id, "post_logout_redirect_uri": back_to})
        return f"{provider.end_session}{'&' if '?' in provider.end_session else '?'}{query}"

    def _are_for_us(self, claims: dict[str, Any], nonce: str) -> bool:
        found = claims.get("nonce")
        is_our_client = claims.get("azp", self._client.client_id) == self._client.client_id
        return is_our_client and isinstance(found, str) and hmac.compare_digest(found.encode(), nonce.encode())

    def _issuers(self) -> dict[str, Issuer]:
        one = self._provider
        return {} if one is None else {one.issuer: Issuer(one.issuer, self._client.client_id, one.algorithms, one.keys)}

    async def _discover(self) -> _Provider | FlowFailed:
        async with self._reading:
            if self._provider is not None and self._clock() - self._provider_read_at < FRESH_SECONDS:
                return self._provider
            url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            document = await self._call("GET", url, {}, None)
            if isinstance(document, FlowFailed):
                # The issuer's addresses hardly change: the known ones serve while the document cannot be read.
                return self._provider or document
            found = _read_provider(document, self._client.issuer)
            if found is None:
                log.warning("oidc.discovery_rejected", issuer=self._client.issuer)
                return FlowFailed(FlowFault.issuer_mismatch)
            self._provider, self._provider_read_at = found, self._clock()
            return found

    async def _token_call(
        self, provider: _Provider, form: dict[str, str], seconds: float = CALL_SECONDS
    ) -> dict[str, Any] | FlowFailed:
        client, headers = self._client, {"Content-Type": "application/x-www-form-urlencoded"}
        if client.resource is not None:
            form = form | {"resource": client.resource}
        if client.secret_file is None:
            form = form | {"client_id": client.client_id}
        else:
            try:
                secret = read_secret(client.secret_file).get_secret_value()
            except (OSError, UnicodeDecodeError) as error:
                log.warning("oidc.client_secret_unreadable", error=type(error).__name__)
                return FlowFailed(FlowFault.refused, "client_secret_unreadable")
            if provider.basic_auth:
                pair = f"{quote(client.client_id, safe='')}:{quote(secret, safe='')}".encode()
                headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            else:
                form = form | {"client_id": client.client_id, "client_secret": secret}
        return await self._call("POST", provider.token, headers, urlencode(form).encode(), seconds)

    async def _call(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None, seconds: float = CALL_SECONDS
    ) -> dict[str, Any] | FlowFailed:
        accepted = headers | {"Accept": "application/json"}
        call = partial(self._send, method, url, accepted, content)
        try:
            async with asyncio.timeout(2 * seconds):
                response = await asyncio.get_running_loop().run_in_executor(self._threads, call)
            document = json.loads(response.body)
        except (TimeoutError, OSError, ValueError, RecursionError, httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("oidc.issuer_away", issuer=self._client.issuer, error=type(error).__name__)
            return FlowFailed(FlowFault.issuer_away)
        if response.status >= 500 or not isinstance(document, dict):
            log.warning("oidc.issuer_away", issuer=self._client.issuer, status=response.status)
            return FlowFailed(FlowFault.issuer_away)
        if response.status != 200:
            code = _code(document.get("error"))
            log.warning("oidc.request_refused", issuer=self._client.issuer, status=response.status, code=code)
            return FlowFailed(FlowFault.refused, code)
        return document


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _code(error: object) -> str:
    return error if isinstance(error, str) and _ERROR_CODE.fullmatch(error) else ""


def _token_set(body: dict[str, Any]) -> TokenSet | FlowFailed:
    access_token, refresh_token, seconds = (body.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    if not isinstance(access_token, str) or not access_token or str(body.get("token_type", "")).lower() != "bearer":
        return FlowFailed(FlowFault.invalid_token)
    return TokenSet(
        access_token,
        refresh_token if isinstance(refresh_token, str) else None,
        float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None,
    )


def _read_provider(document: dict[str, Any], issuer: str) -> _Provider | None:
    """Return the provider; None if the document is another issuer's, or an address is missing or less secure."""
    name, end_session = document.get("issuer"), document.get("end_session_endpoint")
    addresses = [document.get(key) for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    addresses += [] if end_session is None else [end_session]
    scheme = issuer.partition(":")[0]
    usable = [url for url in addresses if isinstance(url, str) and url.startswith(("https://", f"{scheme}://"))]
    if not isinstance(name, str) or name.rstrip("/") != issuer.rstrip("/") or len(usable) != len(addresses):
        return None
    algorithms = document.get("id_token_signing_alg_values_supported")
    named = algorithms if isinstance(algorithms, list) else ["RS256"]
    methods = document.get("token_endpoint_auth_methods_supported")
    authorization, token, keys, *_ = usable
    return _Provider(
        name,
        authorization,
        token,
        keys,
        end_session=end_session,
        algorithms=ALGORITHMS & {algorithm for algorithm in named if isinstance(algorithm, str)},
        sends_iss=document.get("authorization_response_iss_parameter_supported") is True,
        basic_auth=not isinstance(methods, list) or "client_secret_basic" in methods,
    )
