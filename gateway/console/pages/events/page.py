"""GET /events: the newest events by type and authorization; with JavaScript the list follows the stream."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.api import Failure, GatewayProblem
from gateway.console.page import person_of
from gateway.console.pages.events.recent import ROWS, recent_events
from gateway.console.pages.events.stream import caller_of, stream_query
from gateway.console.updating_part import etag_of, page_or_part
from gateway.console.views.events import EventPage, event_types, newest_first

TEMPLATE = "events/events.html"
PART = "events/events_part.html"


@dataclass(frozen=True, slots=True)
class EventsView:
    """The page, or why its list could not be read."""

    page: EventPage
    failure: Failure | None = None
    rows: int = ROWS


async def events(request: Request) -> Response:
    """Show the page. The list is read only with `show=list`, which htmx requests when the page has loaded."""
    query, caller = stream_query(request), caller_of(request)
    types = event_types(frozenset(query.get("type") or ()))
    authorization_id = "".join(query.get("authorizationId") or ())
    address = urlencode(query | ({"caller": caller} if caller else {}), doseq=True)
    empty = EventPage(types, authorization_id, caller, address, None)
    if not person_of(request).may("authorization:read"):
        return page_or_part(request, TEMPLATE, PART, EventsView(empty), 403)
    if request.query_params.get("show") != "list":
        return page_or_part(request, TEMPLATE, PART, EventsView(empty))
    found = await recent_events(request, query, caller)
    if isinstance(found, Failure):
        status = found.status if isinstance(found, GatewayProblem) else 503
        return page_or_part(request, TEMPLATE, PART, EventsView(empty, found), status)
    listed = newest_first(found.events, ROWS)
    page = replace(empty, events=listed, is_whole=found.is_whole)
    return page_or_part(request, TEMPLATE, PART, EventsView(page), etag=etag_of(page))


ROUTES = [Route("/events", events, methods=["GET"])]
