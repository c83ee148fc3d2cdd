"""The list of dead letters, one of them, its decisions, and the page that reveals what the caller wrote."""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.api import Answer, Failure, body_of, failure_of, models, operations
from console.errors import PageError
from console.forecast import forecast_of_discard
from console.forms import Form, read_form
from console.own_action import read_own_action
from console.page import address, console_of, person_of, render
from console.pages.dead_letters.reading import (
    AGES,
    ROWS,
    command_of,
    filters_of,
    read_situation,
    redrive_forecast,
    selection_of,
)
from console.sign_in.own_click import require_own_click
from console.sign_in.step_up import go_if_demanded
from console.updates import etag_of, read_fault, respond, status_of
from console.views.content import Content, content
from console.views.dead_letters import (
    DeadLetterView,
    causes_of,
    dead_letter_view,
)
from schemas.commands import CALLER_COMMANDS
from schemas.enums import DecisionReason

OPERATE: Final = "operate"
LIST: Final = "dead_letters/list.html"
LIST_PART: Final = "dead_letters/list_part.html"
ONE: Final = "dead_letters/one.html"
WAIT_SECONDS: Final = 3
COMMANDS: Final = tuple(CALLER_COMMANDS)
REASONS: Final = tuple(DecisionReason)


@dataclass(frozen=True, slots=True)
class DeadLetterListPage:
    """The page of the list. Exactly one of `dead_letters` and `failure` is set."""

    filters: dict[str, str]
    here: str
    next: str | None = None
    is_first: bool = True
    dead_letters: models.DeadLetterList | None = None
    failure: Failure | None = None
    commands: tuple[str, ...] = COMMANDS
    ages: tuple[str, ...] = tuple(AGES)

    @property
    def causes(self) -> tuple[tuple[str, int], ...]:
        """The causes on this page with their numbers, the most frequent first."""
        return () if self.dead_letters is None else causes_of(self.dead_letters)


@dataclass(frozen=True, slots=True)
class TypedDecision:
    """The typed values of a decision's form."""

    reason: str = ""
    ticket: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """The page of one dead letter. `dead_letter` is None if the command is not a dead letter, or could not be read.

    `number` is that of the dead letter about which the person has `decided`.
    """

    command_id: str
    dead_letter: DeadLetterView | None = None
    failure: Failure | None = None
    situation_failure: Failure | None = None
    problem: Failure | None = None
    is_incomplete: bool = False
    typed: TypedDecision = field(default_factory=TypedDecision)
    decided: str = ""
    number: int = 0
    result: models.CommandStatus | None = None
    reasons: tuple[str, ...] = REASONS


@dataclass(frozen=True, slots=True)
class RevealedDeadLetter:
    """What the caller wrote. `encoded` is the record's value in base64, if it cannot be read."""

    command_id: str
    data: Content | None = None
    encoded: str | None = None
    failure: Failure | None = None


async def show_list(request: Request) -> Response:
    """GET /dead-letters."""
    person, now = person_of(request), console_of(request).now()
    filters, cursor = filters_of(request.query_params), request.query_params.get("cursor", "")
    page = DeadLetterListPage(filters, address("/dead-letters", filters, {"cursor": cursor}), is_first=not cursor)
    if not person.may(OPERATE):
        return respond(request, LIST, LIST_PART, page, 403)
    await read_fault(request)
    call = operations.list_dead_letters({**selection_of(filters, now), "limit": ROWS, "cursor": cursor or None})
    outcome = await console_of(request).api.send(person, call)
    if not isinstance(outcome, Answer):
        return respond(request, LIST, LIST_PART, replace(page, failure=outcome), status_of(outcome))
    listed, following = outcome.body, outcome.body.get("next")
    next_page = address("/dead-letters", filters, {"cursor": following}) if following else None
    shown = replace(page, next=next_page, dead_letters=listed)
    etag = etag_of(listed["deadLetters"], listed["matching"], listed["leftOut"], request.state.fault)
    return respond(request, LIST, LIST_PART, shown, etag=etag)


async def show_one(request: Request) -> Response:
    """GET /dead-letters/{commandId}. `decided` names the decision that the person has just sent."""
    await read_fault(request)
    decided, number = request.query_params.get("decided", ""), request.query_params.get("number", "")
    page = await _read(request, decided=decided if decided in {"redrive", "discard"} else "")
    page = replace(page, number=int(number) if _is_number(number) else 0)
    return render(request, ONE, page, 200 if page.decided else status_of(page.failure))


async def redrive(request: Request) -> Response:
    """POST /dead-letters/{commandId}/redrive."""
    return await _decide(request, "redrive")


async def discard(request: Request) -> Response:
    """POST /dead-letters/{commandId}/discard."""
    return await _decide(request, "discard")


async def reveal(request: Request) -> Response:
    """GET /dead-letters/{commandId}/reveal: what the caller wrote. The API records each read."""
    command_id, person = command_of(request), person_of(request)
    if not person.may(OPERATE):
        return render(request, "dead_letters/reveal.html", RevealedDeadLetter(command_id), 403)
    require_own_click(request)
    await read_fault(request)
    call = operations.read_dead_letter_original(command_id, {"operator": person.name_for_api})
    outcome = await console_of(request).api.send(person, call)
    go_if_demanded(request, outcome)
    if not isinstance(outcome, Answer):
        failed = RevealedDeadLetter(command_id, failure=outcome)
        return render(request, "dead_letters/reveal.html", failed, status_of(outcome))
    data = outcome.body.get("data")
    shown = RevealedDeadLetter(command_id, content(data), None if data is not None else outcome.body["value"])
    return render(request, "dead_letters/reveal.html", shown)


def reason_of_form(form: Form) -> models.DecisionReason | None:
    """Return the reason of a decision's form; None without one."""
    reason = form.get("reason", "")
    return cast("models.DecisionReason", reason) if reason in REASONS else None


def text_of_form(form: Form, name: str) -> str | None:
    """Return an optional text of a form; None if it is empty."""
    return form.get(name, "").strip() or None


async def _decide(request: Request, verb: str) -> Response:
    command_id, person, form = command_of(request), person_of(request), await read_form(request)
    typed = TypedDecision(form.get("reason", ""), form.get("ticket", ""), form.get("why", ""))
    reason, number = reason_of_form(form), form.get("redrive", "")
    if not _is_number(number):
        raise PageError(400, "The form is not complete", "Load the page again and fill in the form again.")
    if reason is None:
        return render(request, ONE, await _read(request, typed=typed, is_incomplete=True), 422)
    body: models.DeadLetterDecision = {
        "operator": person.name_for_api,
        "reason": reason,
        "ticket": text_of_form(form, "ticket"),
        "why": text_of_form(form, "why"),
        "redrive": int(number),
        "deadAt": text_of_form(form, "dead_at"),
    }
    decide = operations.redrive_dead_letter if verb == "redrive" else operations.discard_dead_letter
    outcome = await console_of(request).api.send(person, decide(command_id, body), wait=WAIT_SECONDS)
    if not isinstance(outcome, Answer):
        return render(request, ONE, await _read(request, typed=typed, problem=outcome), status_of(outcome))
    read = partial(console_of(request).api.send, person, operations.read_dead_letter(command_id))
    await read_own_action(read, lambda found: found["redrive"] != int(number))
    return RedirectResponse(address(f"/dead-letters/{command_id}", {"decided": verb, "number": number}), 303)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


async def _read(
    request: Request,
    *,
    decided: str = "",
    typed: TypedDecision | None = None,
    problem: Failure | None = None,
    is_incomplete: bool = False,
) -> DeadLetterPage:
    command_id, person, api = command_of(request), person_of(request), console_of(request).api
    page = DeadLetterPage(
        command_id,
        problem=problem,
        is_incomplete=is_incomplete,
        decided=decided,
        typed=typed or TypedDecision(),
    )
    if not person.may(OPERATE):
        return page
    found, situation = await asyncio.gather(
        api.send(person, operations.read_dead_letter(command_id)), read_situation(request, command_id)
    )
    if not isinstance(found, Answer):
        result = await api.send(person, operations.read_command(command_id))
        return replace(page, failure=found, result=body_of(result))
    now = console_of(request).now()
    dead_letter = dead_letter_view(
        found.body,
        body_of(situation),
        redrive_forecast(found.body, situation, now),
        forecast_of_discard(found.body),
    )
    return replace(page, dead_letter=dead_letter, situation_failure=failure_of(situation))


ROUTES = [
    Route("/dead-letters", show_list, methods=["GET"]),
    Route("/dead-letters/{command_id}", show_one, methods=["GET"]),
    Route("/dead-letters/{command_id}/reveal", reveal, methods=["GET"]),
    Route("/dead-letters/{command_id}/redrive", redrive, methods=["POST"]),
    Route("/dead-letters/{command_id}/discard", discard, methods=["POST"]),
]
