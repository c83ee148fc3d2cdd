"""The authorization endpoint of the local issuer: its page, and the codes and refresh tokens that it gives out.

Each code and each refresh token works once. PKCE with S256 is required, and a redirect only to this machine.
"""

import base64
import hashlib
import html
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

CODE_SECONDS = 60.0
REQUIRED = ("client_id", "redirect_uri", "state", "code_challenge")


@dataclass(frozen=True, slots=True)
class Grant:
    """Who signed in, for which client, and the `nonce` of the ID token."""

    name: str
    groups: tuple[str, ...]
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    acr: str | None
    signed_in_at: int
    until: float


class AuthorizationCodes:
    """The codes and refresh tokens that have not been used."""

    def __init__(self) -> None:
        self._codes: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}

    def authorize(self, query: Mapping[str, str], name: str, groups: Sequence[str], issuer: str) -> str:
        """Return the address that leads the browser back, with a code."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Grant(
            name,
            tuple(groups),
            query["client_id"],
            query["redirect_uri"],
            query["code_challenge"],
            query.get("nonce"),
            next(iter(query.get("acr_values", "").split()), None),
            int(time.time()),
            time.monotonic() + CODE_SECONDS,
        )
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': issuer})}"

    def redeem(self, form: Mapping[str, str]) -> Grant | None:
        """Return the sign-in of a code or refresh token; None if it is used, expired or does not match."""
        if form.get("grant_type") == "refresh_token":
            return self._refresh.pop(form.get("refresh_token", ""), None)
        grant = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            grant is None
            or time.monotonic() > grant.until
            or form.get("redirect_uri") != grant.redirect_uri
            or challenge.rstrip(b"=").decode() != grant.challenge
        ):
            return None
        return grant

    def refresh_token(self, grant: Grant) -> str:
        """Return a new refresh token."""
        token = secrets.token_urlsafe(24)
        self._refresh[token] = grant
        return token


def request_problem(query: Mapping[str, str]) -> str | None:
    """Return what is wrong with an authorization request."""
    if missing := [name for name in REQUIRED if not query.get(name)]:
        return f"missing: {', '.join(missing)}"
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        return "expected response_type=code and code_challenge_method=S256"
    if urlsplit(query["redirect_uri"]).hostname not in {"127.0.0.1", "localhost", "::1"}:
        return "redirect_uri is not of this machine"
    return None


def sign_in_page(query: Mapping[str, str], groups: Sequence[str]) -> str:
    """Return the page: a name and groups, no password."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in query.items()
    )
    boxes = "".join(
        f'<p><label><input type="checkbox" name="groups" value="{html.escape(group)}" checked> {html.escape(group)}'
        "</label></p>"
        for group in groups
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Local identity provider</title>'
        "<h1>Local identity provider</h1><p>For development: it asks for no password.</p>"
        f'<form method="post" action="/authorize">{hidden}'
        '<p><label>Name <input name="name" value="jo.miller" required></label></p>'
        f"{boxes}<p><button>Sign in</button></p></form></html>"
    )
