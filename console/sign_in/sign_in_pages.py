"""The pages of the sign-in: choose a way, go to the issuer and come back, use a key or a link, sign out."""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapters.oidc.code_flow import CodeFlow, FlowFailed, FlowFault, PendingSignIn, TokenSet
from adapters.oidc.people import MOST_NAME_CHARACTERS
from console.api import GatewayProblem
from console.errors import PageError
from console.forms import Form, read_form
from console.page import console_of, render
from console.person import SignInWay
from console.sign_in.cookies import CookieJar, CookieTooLarge, set_cookies
from console.sign_in.links import OneTimeLinks
from console.sign_in.people import Identities, KnownIdentity, unavailable
from console.sign_in.return_path import safe_return_path
from console.sign_in.sealing import Sealer
from console.sign_in.sessions import PersonSession, Sessions, new_session
from console.sign_in.step_up import demands
from runtime.logs import get_log
from runtime.settings import ConsoleSettings
from schemas.fields.visible_text import is_visible_line

PENDING_SECONDS: Final = 600
MOST_CALLBACKS: Final = 16
# The oldest states are forgotten first. A state is useless after PENDING_SECONDS.
MOST_SPENT: Final = 10_000
CALLBACK: Final = "/sign-in/callback"
_PENDING: Final = "pending sign-in"

log = get_log()


@dataclass(frozen=True, slots=True)
class SignInView:
    """The ways to sign in, and the page to come back to."""

    with_issuer: bool
    with_key: bool
    with_proxy: bool
    return_path: str


_FAULTS: Final[Mapping[FlowFault, tuple[int, str, str]]] = {
    FlowFault.issuer_away: (
        503,
        "The identity provider does not answer",
        "Try again in a minute. Your sessions in other tabs are not affected.",
    ),
    FlowFault.issuer_mismatch: (
        400,
        "The sign-in came from another identity provider",
        "Begin again from the console. An operator compares GATEWAY_CONSOLE__OIDC_ISSUER with the issuer's own name.",
    ),
    FlowFault.denied: (403, "The identity provider did not sign you in", "Begin again, or ask who administers it."),
    FlowFault.refused: (
        502,
        "The identity provider refused the console",
        "An operator checks the client id, its secret and the redirect address {redirect} at the identity provider.",
    ),
    FlowFault.invalid_token: (
        502,
        "The identity provider's answer is not valid",
        "Begin again. If it happens again, an operator checks the client at the identity provider.",
    ),
}


class SignIn:
    """The pages. `flow` and `links` are None if this way is off."""

    def __init__(
        self,
        settings: ConsoleSettings,
        identities: Identities,
        sealer: Sealer,
        sessions: Sessions,
        *,
        flow: CodeFlow | None,
        links: OneTimeLinks | None,
    ) -> None:
        self._settings = settings
        self._identities = identities
        self._sealer = sealer
        self._sessions = sessions
        self._flow = flow
        self._links = links
        self._callbacks = asyncio.Semaphore(MOST_CALLBACKS)
        self._spent: OrderedDict[str, None] = OrderedDict()
        self._pending = CookieJar("sign-in", encrypted=(settings.public_url or "").startswith("https://"))

    def routes(self) -> Sequence[Route]:
        """Return the routes of the ways that are on."""
        return [
            Route("/sign-in", self.choose),
            *([Route("/sign-in/start", self.start), Route(CALLBACK, self.callback)] if self._flow else []),
            *([Route("/sign-in/key", self.with_key, methods=["POST"])] if self._settings.key_sign_in else []),
            *([Route("/sign-in/link", self.with_link)] if self._links else []),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/signed-out", self.signed_out),
        ]

    async def choose(self, request: Request) -> Response:
        """GET /sign-in: the ways to sign in."""
        view = SignInView(
            with_issuer=self._flow is not None,
            with_key=self._settings.key_sign_in,
            with_proxy=self._settings.trust_bearer,
            return_path=safe_return_path(request.query_params.get("return")),
        )
        return render(request, "sign_in.html", view)

    async def start(self, request: Request) -> Response:
        """GET /sign-in/start: redirect to the issuer. Reached by a link: the CSP forbids a form with a redirect."""
        pending = FlowFailed(FlowFault.issuer_away) if self._flow is None else await self._flow.begin(demands(request))
        if isinstance(pending, FlowFailed):
            raise self._failure(pending)
        content = {
            "state": pending.state,
            "nonce": pending.nonce,
            "verifier": pending.verifier,
            "return": safe_return_path(request.query_params.get("return")),
            "until": console_of(request).now().timestamp() + PENDING_SECONDS,
            "is_step_up": bool(demands(request)),
        }
        response = RedirectResponse(pending.url, 303)
        sealed = self._sealer.seal(_PENDING, content)
        set_cookies(response, self._pending.write(sealed, request.cookies, seconds=PENDING_SECONDS))
        return response

    async def callback(self, request: Request) -> Response:
        """GET /sign-in/callback: the issuer's answer. Valid once, in the browser that began the sign-in."""
        now = console_of(request).now()
        sealed = self._pending.read(request.cookies)
        begun = None if sealed is None else self._sealer.open(_PENDING, sealed)
        query = request.query_params
        is_single = len(query.multi_items()) == len(query)
        state = query.get("state", "")
        if (
            self._flow is None
            or begun is None
            or not is_single
            or not hmac.compare_digest(str(begun["state"]).encode(), state.encode("utf-8", "surrogateescape"))
            or now.timestamp() >= begun["until"]
            or state in self._spent
        ):
            raise PageError(
                400,
                "This sign-in is out of date",
                "It was begun in another browser or tab, or more than ten minutes ago. Begin again from the console.",
            )
        pending = PendingSignIn(begun["state"], begun["nonce"], begun["verifier"])
        tokens = await self._finish(self._flow, pending, dict(query))
        if isinstance(tokens, FlowFailed):
            raise self._failure(tokens)
        credential = SecretStr(tokens.access_token)
        known = await self._known(credential)
        if known.person is None:
            raise PageError(
                403,
                "The gateway does not know this account as a person",
                "An operator adds the identity provider to [[people]] in the callers file.",
            )
        session = new_session(
            SignInWay.oidc,
            known.person,
            credential,
            known.permissions,
            now,
            seconds=tokens.seconds,
            renewal=tokens.refresh_token,
        )
        session = replace(session, is_step_up=bool(begun.get("is_step_up")))
        response = self._signed_in(request, session, safe_return_path(begun["return"]))
        set_cookies(response, self._pending.clear(request.cookies))
        return response

    async def _finish(self, flow: CodeFlow, pending: PendingSignIn, query: dict[str, str]) -> TokenSet | FlowFailed:
        """Exchange the code, once for each `state`. At another process, the issuer refuses a repeated code."""
        if self._callbacks.locked():
            raise PageError(
                503, "Many people sign in now", "Load this page again in a few seconds.", {"retry-after": "2"}
            )
        async with self._callbacks:
            self._spent[pending.state] = None
            if len(self._spent) > MOST_SPENT:
                self._spent.popitem(last=False)
            tokens = await flow.finish(pending, query)
            if isinstance(tokens, FlowFailed) and tokens.fault is FlowFault.issuer_away:
                self._spent.pop(pending.state, None)  # the same code may work in a minute
            return tokens

    async def with_key(self, request: Request) -> Response:
        """POST /sign-in/key: a caller's key and the person's name."""
        form = await read_form(request)
        name, credential = _text(form, "name"), SecretStr(_text(form, "key"))
        if not name or len(name) > MOST_NAME_CHARACTERS or not is_visible_line(name):
            raise PageError(400, "The name is missing or not usable", "Go back and enter your name on one line.")
        if not credential.get_secret_value().isascii() or not credential.get_secret_value().isprintable():
            raise PageError(400, "This is no API key", "Go back and paste the key as you received it.")
        known = await self._known(credential)
        way = SignInWay.key if known.person is None else SignInWay.link
        session = new_session(way, known.person or name, credential, known.permissions, console_of(request).now())
        return self._signed_in(request, session, safe_return_path(_text(form, "return")))

    async def with_link(self, request: Request) -> Response:
        """GET /sign-in/link: a one-time link of a development machine."""
        now, peer = console_of(request).now(), None if request.client is None else request.client.host
        token = None if self._links is None else self._links.open(request.query_params.get("token", ""), peer, now)
        if token is None:
            raise PageError(
                403,
                "This link can't be used",
                "A link works once, within an hour, on the machine that printed it. Press Enter in the terminal of "
                "`make dev`: it prints a new one.",
            )
        known = await self._known(token)
        session = new_session(SignInWay.link, known.person or known.caller, token, known.permissions, now)
        return self._signed_in(request, session, "/")

    async def sign_out(self, request: Request) -> Response:
        """POST /sign-out: remove the session's cookies."""
        response = RedirectResponse("/signed-out", 303)
        set_cookies(response, self._sessions.clear(request.cookies))
        return response

    async def signed_out(self, request: Request) -> Response:
        """GET /signed-out: with a link that signs the person out at the issuer too."""
        url = None if self._flow is None else await self._flow.end_session_url(f"{self._settings.public_url}/sign-in")
        return render(request, "signed_out.html", url)

    async def _known(self, credential: SecretStr) -> KnownIdentity:
        match await self._identities.identity(credential):
            case KnownIdentity() as known:
                return known
            case GatewayProblem(status=401):
                raise PageError(
                    403,
                    "The gateway does not accept this sign-in",
                    "A key may be wrong or revoked. For a token an operator compares its issuer and audience with the "
                    "callers file.",
                )
            case failure:
                raise unavailable(failure, "Begin again in a minute. Your sessions in other tabs are not affected.")

    def _signed_in(self, request: Request, session: PersonSession, return_path: str) -> Response:
        response = RedirectResponse(return_path, 303)
        try:
            cookies = self._sessions.write(session, request.cookies)
        except CookieTooLarge as error:
            raise PageError(
                502,
                "The identity provider's token is too large",
                f"It has {error}. An operator removes claims, such as groups, from the access token.",
            ) from None
        set_cookies(response, cookies)
        log.info("console.person_signed_in", person=session.name, way=session.way.value)
        return response

    def _failure(self, failed: FlowFailed) -> PageError:
        status, title, detail = _FAULTS[failed.fault]
        code = f" The identity provider's code is {failed.code}." if failed.code else ""
        redirect = f"{self._settings.public_url}{CALLBACK}"
        return PageError(status, title, detail.format(redirect=redirect) + code)


async def at_the_proxy(request: Request) -> Response:
    """GET /sign-in of a console that trusts a proxy alone."""
    view = SignInView(with_issuer=False, with_key=False, with_proxy=True, return_path="/")
    return render(request, "sign_in.html", view)


def _text(form: Form, name: str) -> str:
    return form.get(name, "").strip()
