"""`/search?q=`: an id, a payer, a ticket or a metadata value. A single hit leads to its page."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.api import Call, Failure, GatewayProblem, NotAnswered, body_of
from console.page import address, console_of, person_of, render
from console.updates import read_fault
from console.views.search import MOST_LENGTH, SearchView, questions_of, search_of
from schemas.fields.scalars import is_id

T = TypeVar("T")
_MISSES: Final = frozenset({400, 404})


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What was found, and this page's address."""

    found: SearchView
    here: str


async def search(request: Request) -> Response:
    """GET /search?q=."""
    text = request.query_params.get("q", "").strip()[:MOST_LENGTH]
    questions = questions_of(text)
    if questions is None:
        return render(request, "search.html", _page(SearchView(text, is_readable=not text)))
    await read_fault(request)
    api, person = console_of(request).api, person_of(request)
    problems: dict[str, Failure] = {}

    async def ask(call: Call[T] | None) -> T | None:
        """Return the answer. Keep each kind of problem once; 404 is no problem: the text was not found."""
        outcome = None if call is None else await api.send(person, call)
        match outcome:
            case GatewayProblem(status=status, slug=slug) if status not in _MISSES or slug == "no-read-model":
                problems.setdefault(slug, outcome)
            case NotAnswered():
                problems.setdefault("not-answered", outcome)
        return body_of(outcome)

    (command, authorization, at_payer, ids), lists = await asyncio.gather(
        asyncio.gather(
            ask(questions.command), ask(questions.authorization), ask(questions.at_payer), ask(questions.ids)
        ),
        asyncio.gather(*(ask(call) for call in questions.commands)),
    )
    found = search_of(text, command, authorization, at_payer, [found for found in lists if found is not None], ids=ids)
    found = replace(found, problems=tuple(problems.values()), may_be_authorization=is_id(text))
    if found.only_page is not None:
        return RedirectResponse(found.only_page, 303)
    return render(request, "search.html", _page(found))


def _page(found: SearchView) -> SearchPage:
    return SearchPage(found, address("/search", {"q": found.text}))


ROUTES: Final = [Route("/search", search)]
