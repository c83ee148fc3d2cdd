"""Decisions about all dead letters that match a filter, 20 in one request, oldest first.

The address contains the whole state of a run: filter, count, digest, the time of the list and the cursor. So a run
continues after an interruption, even in another tab, and decides only what the person has seen. The form accepts no
free text, because addresses are logged; the reason is a word, with a ticket.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.api import Answer, Failure, GatewayProblem, models, operations
from console.errors import PageError
from console.forms import Form, read_form
from console.page import address, console_of, person_of
from console.pages.dead_letters.decisions import OPERATE, REASONS, reason_of_form, text_of_form
from console.pages.dead_letters.reading import filters_of, forecasts, selection_of
from console.updates import read_fault, respond, status_of
from console.views.dead_letters import MOST_DECISIONS, BulkPlan, ChosenDeadLetters, bulk_plan

ALL: Final = "/dead-letters/all"
TEMPLATE: Final = "dead_letters/all.html"
PART: Final = "dead_letters/all_part.html"
VERBS: Final = ("redrive", "discard")
PAUSE_SECONDS: Final = 4
"""Between two requests of a run: five decisions a second."""


@dataclass(frozen=True, slots=True)
class BulkRun:
    """What this run has decided so far, and where it continues."""

    verb: str = ""
    reason: str = ""
    ticket: str = ""
    decided: int = 0
    left_out: int = 0
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class BulkPage:
    """The page. Without a plan nothing is left to decide, or the list could not be read."""

    filters: dict[str, str]
    plan: BulkPlan | None = None
    run: BulkRun = BulkRun()
    failure: Failure | None = None
    problem: Failure | None = None
    has_changed: bool = False
    is_incomplete: bool = False
    since: str | None = None
    reasons: tuple[str, ...] = REASONS
    pause_seconds: int = PAUSE_SECONDS
    at_once: int = MOST_DECISIONS


async def show(request: Request) -> Response:
    """GET /dead-letters/all?…: how many match, what a redrive of the next ones does, and the form."""
    page = await _read(request, dict(request.query_params))
    return _response(request, page, status_of(page.failure))


async def decide(request: Request) -> Response:
    """POST /dead-letters/all: decide the next ones; 303 to the rest."""
    person, form = person_of(request), await read_form(request)
    fields = {name: form[name] for name in form}
    verb, reason, ticket = fields.get("verb", ""), reason_of_form(form), text_of_form(form, "ticket")
    if verb not in VERBS or reason is None:
        return _response(request, await _read(request, fields, is_incomplete=True), 422)
    filters, chosen = filters_of(fields), _chosen(form)
    selection = _selection(fields, filters, console_of(request).now())
    body: models.DeadLetterDecisions = {
        "operator": person.name_for_api,
        "reason": reason,
        "ticket": ticket,
        "after": chosen.after,
        "decision": "redrive" if verb == "redrive" else "discard",
        "selection": {
            "cause": selection["cause"],
            "command": selection["command"],
            "caller": selection["caller"],
            "authorizationId": selection["authorizationId"],
            "since": selection["since"],
            "before": chosen.before,
        },
        "count": chosen.count,
        "digest": chosen.digest,
    }
    outcome = await console_of(request).api.send(person, operations.decide_dead_letters(body))
    if isinstance(outcome, GatewayProblem) and outcome.slug == "dead-letters-changed":
        return RedirectResponse(address(ALL, filters, {"changed": "yes"}), 303)
    if not isinstance(outcome, Answer):
        return _response(request, await _read(request, fields, problem=outcome), status_of(outcome))
    run = _run_of(fields)
    rest = {
        "sinceTime": selection.get("since"),
        "before": chosen.before,
        "count": str(outcome.body["remaining"]),
        "digest": outcome.body["digest"],
        "after": outcome.body.get("next"),
        "verb": verb,
        "reason": reason,
        "ticket": ticket,
        "decided": str(run.decided + len(outcome.body["decided"])),
        "leftOut": str(run.left_out + len(outcome.body["notDecided"])),
        "run": "yes" if form.get("run") == "yes" and outcome.body["remaining"] else None,
    }
    return RedirectResponse(address(ALL, filters, rest), 303)


async def _read(
    request: Request, fields: dict[str, str], *, problem: Failure | None = None, is_incomplete: bool = False
) -> BulkPage:
    person, console, filters = person_of(request), console_of(request), filters_of(fields)
    run = _run_of(fields)
    has_changed = fields.get("changed") == "yes"
    if not person.may(OPERATE) or (run.verb and fields.get("count") == "0"):
        return BulkPage(filters, run=run)
    await read_fault(request)
    selection = _selection(fields, filters, console.now())
    continues = bool(fields.get("digest")) and problem is None
    query: operations.ListDeadLettersQuery = {**selection, "limit": MOST_DECISIONS}
    if continues:
        query |= {"before": fields.get("before") or None, "cursor": fields.get("after") or None}
    else:
        query["digest"] = "true"
    listed = await console.api.send(person, operations.list_dead_letters(query))
    if not isinstance(listed, Answer):
        return BulkPage(filters, run=run, failure=listed)
    chosen = (
        _chosen(fields)
        if continues
        else ChosenDeadLetters(listed.body["matching"], listed.body.get("digest", ""), listed.body.get("at", ""))
    )
    if chosen.count == 0:
        return BulkPage(filters, run=run, has_changed=has_changed)
    next_dead_letters = listed.body["deadLetters"]
    found = [] if run.goes_on else await forecasts(request, next_dead_letters)
    plan = bulk_plan(listed.body, filters, found, chosen)
    return BulkPage(
        filters,
        plan,
        run,
        problem=problem,
        has_changed=has_changed,
        is_incomplete=is_incomplete,
        since=selection.get("since"),
    )


def _response(request: Request, page: BulkPage, status: int) -> Response:
    return respond(request, TEMPLATE, PART, page, status)


def _selection(fields: dict[str, str], filters: dict[str, str], now: datetime) -> operations.ListDeadLettersQuery:
    """Return the filters as the API has them, with the time that the first page of a run computed from the age."""
    selection = selection_of(filters, now)
    return {**selection, "since": fields.get("sinceTime") or selection["since"]}


def _chosen(fields: Form | dict[str, str]) -> ChosenDeadLetters:
    count = fields.get("count", "")
    if not count.isascii() or not count.isdigit() or len(count) > 5 or not fields.get("before"):
        raise PageError(400, "The form is not complete", "Begin again with the list of dead letters.")
    return ChosenDeadLetters(int(count), fields.get("digest", ""), fields["before"], fields.get("after") or None)


def _run_of(fields: dict[str, str]) -> BulkRun:
    verb, reason = fields.get("verb", ""), fields.get("reason", "")
    return BulkRun(
        verb=verb if verb in VERBS else "",
        reason=reason if reason in REASONS else "",
        ticket=fields.get("ticket", ""),
        decided=_number(fields.get("decided", "")),
        left_out=_number(fields.get("leftOut", "")),
        goes_on=fields.get("run") == "yes",
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0


ROUTES = [
    Route(ALL, show, methods=["GET"]),
    Route(ALL, decide, methods=["POST"]),
]
