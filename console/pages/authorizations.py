"""`/authorizations/{id}`: its state, what can be done, and what happened. Prints as a record."""

import uuid
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.api import Answer, Failure, GatewayProblem, Outcome, body_of, failure_of, models, operations
from console.forms import read_form
from console.page import address, console_of, person_of
from console.updates import etag_with, read_changed, respond, status_of, unchanged
from console.views.authorization import AuthorizationView, authorization_of
from console.views.freshness import Freshness
from console.views.timeline import ROWS, timeline_of
from schemas.fields.scalars import is_command_id

_NOTICES: Final = frozenset({"watch", "release"})


@dataclass(frozen=True, slots=True)
class AuthorizationDetails:
    """One authorization, or why it cannot be shown. `refusal`: why the API rejected an action.

    `form_key` is the idempotency key of the page's forms: a double click is one command.
    """

    authorization_id: str
    freshness: Freshness
    here: str
    form_key: str
    first: str | None = None
    older: str | None = None
    authorization: AuthorizationView | None = None
    problem: Failure | None = None
    timeline_problem: Failure | None = None
    refusal: Failure | None = None
    notice: str | None = None
    command_id: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether the page has an event stream: the newest entries of an authorization that can still change."""
        record = self.authorization.record if self.authorization else None
        return record is not None and record.get("settledAt") is None and self.first is None


async def authorization(request: Request) -> Response:
    """GET /authorizations/{id}."""
    return await _show(request)


async def watch(request: Request) -> Response:
    """POST /authorizations/{id}/watch: then the page again."""
    id_, form = request.path_params["id"], await read_form(request)
    call = operations.watch_authorization(id_, key=form.get("key"))
    outcome = await console_of(request).api.send(person_of(request), call)
    if isinstance(outcome, Answer):
        return RedirectResponse(_address(id_, notice="watch", command=outcome.body["commandId"]), 303)
    return await _show(request, refusal=outcome)


async def release(request: Request) -> Response:
    """POST /authorizations/{id}/release: give a claimed handoff back, then the page again."""
    id_, form = request.path_params["id"], await read_form(request)
    call = operations.release_handoff(id_, form.get("handoff", ""))
    outcome = await console_of(request).api.send(person_of(request), call)
    if isinstance(outcome, Answer):
        return RedirectResponse(_address(id_, notice="release"), 303)
    return await _show(request, refusal=outcome)


async def _show(request: Request, refusal: Failure | None = None) -> Response:
    id_, cursor = request.path_params["id"], request.query_params.get("cursor")
    call = operations.read_timeline(id_, {"order": "newest", "limit": ROWS, "cursor": cursor or None})
    # Each change of the record has an entry, so the timeline alone shows whether the part is up to date.
    timeline, freshness = await read_changed(request, call)
    if timeline is None:
        return unchanged(request)
    notice, command_id = request.query_params.get("notice"), request.query_params.get("command", "")
    page = AuthorizationDetails(
        id_,
        freshness,
        _address(id_, cursor=cursor),
        str(uuid.uuid4()),
        refusal=refusal,
        notice=notice if notice in _NOTICES and refusal is None else None,
        command_id=command_id if is_command_id(command_id) else None,
    )
    record = await console_of(request).api.send(person_of(request), operations.read_authorization(id_))
    page = _page(request, page, record, timeline, cursor)
    outcome = refusal or page.problem or timeline
    etag = etag_with(outcome, freshness)
    return respond(request, "authorization.html", "authorization_part.html", page, status_of(outcome), etag=etag)


def _page(
    request: Request,
    page: AuthorizationDetails,
    record: Outcome[models.AuthorizationStatus],
    timeline: Outcome[models.Timeline],
    cursor: str | None,
) -> AuthorizationDetails:
    is_unknown = isinstance(record, GatewayProblem) and record.status == 404 and record.slug != "no-read-model"
    if not isinstance(record, Answer) and not is_unknown:
        return replace(page, problem=record)
    entries = timeline_of(timeline.body) if isinstance(timeline, Answer) else None
    following = timeline.body.get("next") if isinstance(timeline, Answer) else None
    now, me = console_of(request).now(), person_of(request).name
    view = authorization_of(page.authorization_id, body_of(record), entries, me, now)
    return replace(
        page,
        authorization=view,
        timeline_problem=failure_of(timeline),
        first=_address(page.authorization_id) if cursor else None,
        older=_address(page.authorization_id, cursor=following) if following else None,
    )


def _address(id_: str, **query: str | None) -> str:
    return address(f"/authorizations/{quote(id_, safe='')}", query)


ROUTES: Final = [
    Route("/authorizations/{id}", authorization),
    Route("/authorizations/{id}/watch", watch, methods=["POST"]),
    Route("/authorizations/{id}/release", release, methods=["POST"]),
]
