"""What every page uses: the person, the API, the settings, the time, and the rendering of a template.

    async def work_list(request: Request) -> Response:
        call = operations.list_authorizations({"needs": "person"})
        outcome = await console_of(request).api.send(person_of(request), call)
        return render(request, "work.html", work_view(outcome, console_of(request).now()))

    ROUTES = [Route("/work", work_list)]

Every template gets `view`, `person` (None on pages before sign-in) and `page`. A fragment is a template that is also
a part of the whole page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from console.api import Api
from console.assets import Assets
from console.person import SignedInPerson
from console.security_headers import content_security_policy
from console.times import FILTERS
from console.views.words import WORDS
from gateway.middleware.exchange import exchange_of
from runtime.settings import ConsoleSettings
from runtime.version import VERSION
from schemas.events.wait_reasons import WaitReason
from schemas.topics import DEAD_LETTER_DAYS

TEMPLATES: Final = Path(__file__).parent / "templates"
# A reason of a newer worker has no words here, and is shown as it is.
_WAIT_WORDS: Final = {reason.value: reason.words for reason in WaitReason} | {"unknown": "no reason is known yet"}


@dataclass(frozen=True, slots=True)
class Console:
    """The parts that pages share, built once by `console.app`."""

    api: Api
    settings: ConsoleSettings
    environment: str
    templates: Environment
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class PageContent:
    """The files that pages consist of. A template is compiled when a page first needs it."""

    assets: Assets
    templates: Environment


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Facts of one page: its path, the installation, the time (UTC) and the request's id.

    `guide_url` is the address of docs/operations.md for readers; None if the setting is absent. `payers` are the names
    of payers by id. `fault` is the worst fault of the gateway, on a page whose view has none.
    """

    path: str
    environment: str
    version: str
    now: datetime
    request_id: str
    guide_url: str | None
    payers: Mapping[str, str]
    fault: str | None


class AnswerTemplates(Environment):
    """Templates that read answers of the API: an absent field of an answer is none, an undefined name an error."""

    def getattr(self, obj: object, attribute: str) -> object:
        """Return a field of an answer, or an attribute of any other value."""
        if not isinstance(obj, dict):
            return super().getattr(obj, attribute)
        return obj[attribute] if attribute in obj else getattr(obj, attribute, None)


def open_templates(assets: Assets, directory: Path = TEMPLATES) -> Environment:
    """Return the templates: every value is escaped, and an undefined name is an error. `asset(name)` is an address."""
    templates = AnswerTemplates(
        loader=FileSystemLoader(directory),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=400,
    )
    templates.globals |= {"asset": assets.url, "dead_letter_days": DEAD_LETTER_DAYS, "wait_words": _WAIT_WORDS}
    templates.filters.update({**FILTERS, **WORDS})
    return templates


def read_content() -> PageContent:
    """Read the static files and open the templates."""
    assets = Assets()
    return PageContent(assets, open_templates(assets))


def console_of(request: Request) -> Console:
    """Return the shared parts."""
    console: Console = request.app.state.console
    return console


def person_of(request: Request) -> SignedInPerson:
    """Return the person who is signed in. Only pages behind the sign-in may call it."""
    person: SignedInPerson = request.state.person
    return person


def is_fragment(request: Request) -> bool:
    """Return whether htmx requests a part of a page, and not a person the whole page."""
    return request.headers.get("hx-request") == "true"


def address(path: str, *parts: Mapping[str, str | None]) -> str:
    """Return a path with a query of the values that are set."""
    query = {name: value for part in parts for name, value in part.items() if value}
    return f"{path}?{urlencode(query)}" if query else path


def render(
    request: Request,
    template: str,
    view: Any = None,
    status: int = 200,
    *,
    opens_sessions: bool = False,
) -> HTMLResponse:
    """Return the page.

    Args:
        request: the request that the page answers.
        template: the file below `templates/`.
        view: what the template shows, as `view`.
        status: the HTTP status.
        opens_sessions: let a form of the page lead to `console.session_origins` (the workbench only).
    """
    console = console_of(request)
    context = {
        "view": view,
        "person": getattr(request.state, "person", None),
        "page": PageFacts(
            request.url.path,
            console.environment,
            VERSION,
            console.now(),
            exchange_of(request.scope).request_id,
            console.settings.guide_url,
            {payer.key: payer.label for payer in console.settings.payer_names},
            getattr(request.state, "fault", None),
        ),
    }
    response = HTMLResponse(console.templates.get_template(template).render(context), status)
    if opens_sessions:
        response.headers["content-security-policy"] = content_security_policy(console.settings.session_origins)
    return response
