"""The middleware that identifies the person of a request, or redirects to the sign-in.

Without a session, a page redirects to the sign-in, which returns to the page. A fragment or a stream gets 401. A posted
form gets a page with the typed values: the person signs in in another tab, then submits it again.

While a sign-in cannot be checked, the session stays, and each of these says so with 503.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.oidc.code_flow import FlowFailed
from console.api import GatewayProblem
from console.errors import PageError, SignInUnchecked, error_page
from console.forms import read_form
from console.page import console_of, is_fragment, render
from console.person import SignedInPerson, SignInWay
from console.sign_in.cookies import CookieTooLarge
from console.sign_in.people import Identities, KnownIdentity, unavailable
from console.sign_in.renewal import Renewals
from console.sign_in.return_path import safe_return_path
from console.sign_in.sessions import PersonSession, Sessions
from gateway.middleware.methods import READS

PUBLIC_PREFIXES: Final = ("/static/", "/sign-in", "/sign-out", "/signed-out")


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form that was posted after its session had ended, or while it could not be checked: its address and fields."""

    action: str
    fields: tuple[tuple[str, str], ...]
    is_unchecked: bool


@dataclass(frozen=True, slots=True)
class _Admitted:
    person: SignedInPerson | None
    set_cookies: tuple[str, ...] = ()
    session: PersonSession | None = None
    is_unchecked: bool = False


class SignInGate:
    """Sets `request.state.person`. A page sets `request.state.holds_handoff`: its poll is an action of the person."""

    def __init__(
        self,
        app: ASGIApp,
        identities: Identities,
        sessions: Sessions | None,
        renewals: Renewals | None,
        *,
        trust_bearer: bool,
    ) -> None:
        """Without `sessions` only a proxy's token is accepted; without `renewals` no session is renewed."""
        self.app = app
        self._identities = identities
        self._sessions = sessions
        self._renewals = renewals
        self._trust_bearer = trust_bearer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or respond with a way to sign in."""
        request = Request(scope, receive)
        if request.url.path.startswith(PUBLIC_PREFIXES):
            scope["state"]["person"] = None
            await self.app(scope, receive, send)
            return
        now = console_of(request).now()
        admitted = await self._admit(request, now)

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                for cookie in self._cookies(request, admitted, now):
                    MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        scope["state"] |= {"person": admitted.person, "holds_handoff": False}
        if admitted.person is None:
            response = await _not_admitted(request, is_unchecked=admitted.is_unchecked)
            await response(scope, receive, send_with_cookies)
        else:
            await self.app(scope, receive, send_with_cookies)

    def _cookies(self, request: Request, admitted: _Admitted, now: datetime) -> Sequence[str]:
        session, sessions = admitted.session, self._sessions
        if session is None or sessions is None or not request.state.holds_handoff:
            return admitted.set_cookies
        held = sessions.rules.held(session, now)
        # A time has always the same length, so the cookie is no longer than the one that the browser has.
        return admitted.set_cookies if held is None else sessions.write(held, request.cookies)

    async def _admit(self, request: Request, now: datetime) -> _Admitted:
        credential = bearer(request) if self._trust_bearer else None
        if credential is not None:
            return _Admitted(await self._person_of_proxy(credential))
        session = None if self._sessions is None else self._sessions.read(request.cookies, now)
        if session is None or self._sessions is None:
            return _Admitted(None)
        return await self._admit_session(request, self._sessions, session, now)

    async def _admit_session(
        self, request: Request, sessions: Sessions, session: PersonSession, now: datetime
    ) -> _Admitted:
        current: PersonSession | FlowFailed | None = session
        if self._renewals is not None and sessions.rules.needs_renewal(session, now):
            current = await self._renewals.renew(session, now)
        if isinstance(current, FlowFailed):
            return _Admitted(None, is_unchecked=True)
        identity = None if current is None else await self._identities.identity(current.credential)
        if current is None or (isinstance(identity, GatewayProblem) and identity.status == 401):
            return _Admitted(None, tuple(sessions.clear(request.cookies)))
        # While the API does not respond, the page says so and shows the permissions of the last response.
        permissions = identity.permissions if isinstance(identity, KnownIdentity) else frozenset(current.permissions)
        changed = current if current is not session else None
        if is_action(request):
            changed = sessions.rules.touched(current, now) or changed
        try:
            cookies = () if changed is None else tuple(sessions.write(changed, request.cookies))
        except CookieTooLarge:  # a renewed token has grown; the next sign-in says so
            return _Admitted(None, tuple(sessions.clear(request.cookies)))
        if isinstance(identity, GatewayProblem) and identity.slug == "credentials-unchecked":
            # A renewed token stays in the session: the issuer accepts its refresh token only once.
            return _Admitted(None, cookies, is_unchecked=True)
        return _Admitted(sessions.person(changed or current, permissions), cookies, changed or current)

    async def _person_of_proxy(self, credential: SecretStr) -> SignedInPerson:
        match await self._identities.identity(credential):
            case KnownIdentity() as known:
                return SignedInPerson(known.person or known.caller, known.permissions, credential, SignInWay.proxy)
            case GatewayProblem(status=401):
                raise PageError(
                    401,
                    "The gateway does not accept the proxy's token",
                    "Sign in again at the proxy. An operator compares its issuer and audience with the callers file.",
                )
            case failure:
                raise unavailable(failure, "Load the page again in a minute.")


def bearer(request: Request) -> SecretStr | None:
    """Return the token of the only Authorization header; None without one."""
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return SecretStr(token.strip()) if scheme.lower() == "bearer" and token.strip() else None


def is_action(request: Request) -> bool:
    """Return whether a person caused the request by opening a page or posting a form. Polls of a page do not count."""
    if request.method == "POST":
        return True
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    return not is_fragment(request) and "text/html" in request.headers.get("accept", "")


def address_of(request: Request) -> str:
    """Return the path and the query of a request, as the browser sent them."""
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope.get("query_string", b"")
    return (raw_path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


async def _not_admitted(request: Request, *, is_unchecked: bool) -> Response:
    if request.method in READS and is_unchecked:
        return error_page(request, SignInUnchecked("You stay signed in. Load the page again in a minute."))
    if is_fragment(request) or "text/event-stream" in request.headers.get("accept", ""):
        raise PageError(401, "You are signed out", "Load the page again to sign in.")
    if request.method in READS:
        query = urlencode({"return": safe_return_path(address_of(request))})
        return RedirectResponse(f"/sign-in?{query}", 303)
    form = await read_form(request)
    kept = KeptForm(safe_return_path(address_of(request)), tuple(form.multi_items()), is_unchecked)
    return render(request, "sign_in_again.html", kept, 503 if is_unchecked else 401)
