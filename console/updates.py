"""Pages that update a part of themselves: the fragment, its ETag, and how old the data may be.

`console.js` requests the page's own address with `HX-Request: true`, and receives only the part, or 304. Each response
has the numbers of the lists, `request.state.counts`, as a header.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from console.api import Answer, Call, GatewayProblem, NotAnswered, Outcome, models, operations
from console.page import console_of, is_fragment, person_of, render
from console.views.freshness import Freshness, faults_of, freshness_of

T = TypeVar("T")
FRESH_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 15.0  # a call is due after 5 s and may take 5 s: one that fails hides no answer
# The API refuses these for the person who asks. Another person can ask at once.
_OF_THE_PERSON: Final = frozenset((401, 403, 429))
_SEPARATOR: Final = "~"
_QUOTE: Final = '"'


class OverviewReader:
    """Caches the overview: one call of the API every five seconds for all people.

    An answer is used for KEPT_SECONDS if no later call has one: a failed call of one person hides it from no other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: models.Overview | None = None
        self._known_at = -math.inf
        self._due_at = 0.0
        self.faults: tuple[str, ...] = ()

    async def read(self, request: Request) -> models.Overview | None:
        """Return the overview; None if the API has not answered lately. Ask only as a person who may read it."""
        person = person_of(request)
        async with self._lock:
            if self._clock() >= self._due_at and person.may("authorization:read"):
                outcome = await console_of(request).api.send(person, operations.read_overview())
                if isinstance(outcome, Answer):
                    self._known, self._known_at = outcome.body, self._clock()
                else:
                    self.faults = faults_of(outcome)
                if not isinstance(outcome, GatewayProblem) or outcome.status not in _OF_THE_PERSON:
                    self._due_at = self._clock() + FRESH_SECONDS
            return self._known if self._clock() - self._known_at < KEPT_SECONDS else None


async def read_overview(request: Request) -> models.Overview | None:
    """Return the cached overview; None for a person who may not read it."""
    return await _reader(request).read(request) if person_of(request).may("authorization:read") else None


async def read_freshness(request: Request) -> Freshness:
    """Return how far the read model is behind, and which part of the gateway does not work."""
    reader = _reader(request)
    return freshness_of(await reader.read(request), reader.faults)


async def read_fault(request: Request) -> None:
    """Keep the worst fault of the gateway for a page whose view has no freshness."""
    request.state.fault = (await read_freshness(request)).worst


async def read_changed(request: Request, call: Call[T]) -> tuple[Outcome[T] | None, Freshness]:
    """Read from the API what a part shows. The outcome is None if the browser's part is up to date.

    The part is up to date while the API's response and the state of the read model are unchanged.
    """
    api, person = console_of(request).api, person_of(request)
    etag, known_state = _known(request)
    read = api.send(person, call) if etag is None else api.read_if_changed(person, call, etag)
    outcome, freshness = await asyncio.gather(read, read_freshness(request))
    if outcome is None and known_state != freshness.mark:
        outcome = await api.send(person, call)
    return outcome, freshness


def unchanged(request: Request) -> Response:
    """Return 304: the browser's part is up to date."""
    return Response(status_code=304, headers=_now(request) | {"etag": request.headers["if-none-match"]})


def etag_of(*shown: Any) -> str:
    """Return the ETag of immutable values: frozen dataclasses, tuples, texts and numbers.

    For a part whose data have no ETag. A form's key and the time are not among the values.
    """
    return f'"{hashlib.sha256(repr(shown).encode()).hexdigest()[:24]}"'


def etag_with(outcome: Outcome[object], freshness: Freshness) -> str | None:
    """Return the ETag of a part that shows an answer of the API and the state of the read model."""
    api_etag = outcome.headers.get("etag") if isinstance(outcome, Answer) else None
    return f'"{api_etag.strip(_QUOTE)}{_SEPARATOR}{freshness.mark}"' if api_etag else None


def respond(
    request: Request, template: str, part: str, view: Any, status: int = 200, *, etag: str | None = None
) -> Response:
    """Return the page, or for an update its part: 304 if the browser has it already.

    A problem has its own status, so that a browser keeps what it shows and marks it as old.
    """
    is_part = is_fragment(request)
    if is_part and etag is not None and request.headers.get("if-none-match") == etag:
        return unchanged(request)
    response = render(request, part if is_part else template, view, status)
    response.headers.update(_now(request))
    if etag is not None:
        response.headers["etag"] = etag
    return response


def status_of(outcome: Outcome[object] | None) -> int:
    """Return the status of a page that shows an outcome; None is a page that needs nothing from the API."""
    match outcome:
        case GatewayProblem(status=status):
            return status
        case NotAnswered():
            return 502
        case _:
            return 200


def _reader(request: Request) -> OverviewReader:
    reader: OverviewReader = request.app.state.overview
    return reader


def _now(request: Request) -> dict[str, str]:
    counts: Mapping[str, int] = getattr(request.state, "counts", {})
    return {"x-now": console_of(request).now().isoformat(), "x-counts": urlencode(counts)}


def _known(request: Request) -> tuple[str | None, str | None]:
    """Return the API's ETag and the state of the read model from which the browser's part was rendered."""
    given = request.headers.get("if-none-match", "") if is_fragment(request) else ""
    etag, separator, state = given.strip(_QUOTE).rpartition(_SEPARATOR)
    return (f'"{etag}"', state) if separator else (None, None)
