"""`/search?q=`: an id, a payer, a ticket or a metadata value. A single hit leads to its page."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.console.outcomes import ApiAnswer, ApiNotReached, ApiRefusal
from gateway.console.page import console_of, person_of, render
from gateway.console.views.search import MOST_LENGTH, Found, SearchView, questions_of, search_of

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
    if not questions:
        return render(request, "search.html", _page(SearchView(text, is_readable=not text)))
    api, person = console_of(request).api, person_of(request)
    outcomes = await asyncio.gather(*(api.get(person, one.path, one.query) for one in questions))
    answers = [
        (question, outcome.body)
        for question, outcome in zip(questions, outcomes, strict=True)
        if isinstance(outcome, ApiAnswer)
    ]
    found = search_of(text, answers, _problems(outcomes))
    if found.only_page is not None:
        return RedirectResponse(found.only_page, 303)
    can_be_authorization = any(one.finds is Found.AUTHORIZATION for one in questions)
    return render(request, "search.html", _page(replace(found, may_be_authorization=can_be_authorization)))


def _problems(outcomes: list[ApiAnswer | ApiRefusal | ApiNotReached]) -> tuple[ApiRefusal | ApiNotReached, ...]:
    """Return each kind of problem once. 404 is no problem: the text was not found."""
    kinds: dict[str, ApiRefusal | ApiNotReached] = {}
    for outcome in outcomes:
        match outcome:
            case ApiRefusal(status=status, slug=slug) if status not in _MISSES or slug == "no-read-model":
                kinds.setdefault(outcome.slug, outcome)
            case ApiNotReached():
                kinds.setdefault("not-reached", outcome)
            case _:
                pass
    return tuple(kinds.values())


def _page(found: SearchView) -> SearchPage:
    return SearchPage(found, f"/search?{urlencode({'q': found.text})}")


ROUTES: Final = [Route("/search", search)]
