"""`/developers`: who you are, code to paste, reads to try, and the served OpenAPI and AsyncAPI documents for people."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.api import Answer, Failure, GatewayProblem, Outcome, models, operations
from gateway.console.errors import PageError
from gateway.console.page import console_of, person_of, render
from gateway.console.views.code import code_of
from gateway.console.views.documents import (
    MessageLine,
    MessagePage,
    OperationLine,
    OperationPage,
    ParameterRow,
    examples_of,
    message_page,
    messages_of,
    operation_page,
    operations_of,
)
from gateway.console.views.trial import MissingParameters, NotOffered, call_of, given_values, parameters_of, why_not

_FIRST: Final = ("readMe", "watchAuthorization")
# A page has at most 150 KiB.
_MOST_SHOWN: Final = 24 << 10
_DOCUMENTS: Final = {"openapi.json": operations.open_api(), "asyncapi.json": operations.async_api()}


@dataclass(frozen=True, slots=True)
class DevelopersPage:
    """The entry page. Each part has its own problem."""

    me: models.Me | None
    me_problem: Failure | None
    first_lines: tuple[str, ...]
    operations: tuple[OperationLine, ...]
    openapi_problem: Failure | None
    messages: tuple[MessageLine, ...]
    asyncapi_problem: Failure | None


@dataclass(frozen=True, slots=True)
class OperationDetails:
    """One operation, its code by language, and examples of bodies as indented JSON.

    `not_offered`: why the page does not send it; `parameters` and `given`: the fields of its form, and their values.
    """

    operation: OperationPage
    code: Mapping[str, str]
    body: str
    responses: Mapping[str, str]
    not_offered: NotOffered | None
    parameters: tuple[ParameterRow, ...]
    given: Mapping[str, str]
    trial: "Trial | MissingParameters | None"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the gateway answered: the status, or None if it did not answer, and the JSON as far as it is shown."""

    outcome: Answer[object] | Failure
    status: int | None
    milliseconds: int
    json: str = ""
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class MessageDetails:
    """One message, and an example as indented JSON."""

    message: MessagePage
    example: str


async def developers(request: Request) -> Response:
    """GET /developers."""
    api, person = console_of(request).api, person_of(request)
    me, openapi, asyncapi = await asyncio.gather(
        api.send(person, operations.read_me()),
        api.send(person, _DOCUMENTS["openapi.json"]),
        api.send(person, _DOCUMENTS["asyncapi.json"]),
    )
    page = DevelopersPage(
        me=me.body if isinstance(me, Answer) else None,
        me_problem=_problem(me),
        first_lines=tuple(_first_lines(openapi.body, _base(request))) if isinstance(openapi, Answer) else (),
        operations=operations_of(openapi.body) if isinstance(openapi, Answer) else (),
        openapi_problem=_problem(openapi),
        messages=messages_of(asyncapi.body) if isinstance(asyncapi, Answer) else (),
        asyncapi_problem=_problem(asyncapi),
    )
    return render(request, "developers.html", page)


async def operation(request: Request) -> Response:
    """GET /developers/http/{id}."""
    openapi, id_ = await _document(request, "openapi.json"), request.path_params["id"]
    found = operation_page(openapi, id_)
    if found is None:
        raise HTTPException(404)
    examples = examples_of(openapi, id_)
    not_offered = why_not(id_)
    given = given_values(found, {} if not_offered else request.query_params)
    details = OperationDetails(
        found,
        code_of(found, _base(request), examples.request, given),
        "" if examples.request is None else _indented(examples.request),
        {status: _indented(example) for status, example in examples.responses},
        not_offered,
        parameters_of(found),
        request.query_params,
        await _try(request, found, given) if "try" in request.query_params and not not_offered else None,
    )
    return render(request, "developers_operation.html", details)


async def _try(request: Request, page: OperationPage, given: Mapping[str, object]) -> Trial | MissingParameters:
    """Send an operation as the person: their rights, and the record of the API, are those of any other call."""
    call = call_of(page, given)
    if isinstance(call, MissingParameters):
        return call
    began = time.monotonic()
    outcome = await console_of(request).api.send(person_of(request), call)
    milliseconds = round(1000 * (time.monotonic() - began))
    match outcome:
        case Answer(status=status, body=body):
            text = _indented(body)
            return Trial(outcome, status, milliseconds, text[:_MOST_SHOWN], is_whole=len(text) <= _MOST_SHOWN)
        case GatewayProblem(status=status):
            return Trial(outcome, status, milliseconds)
        case _:
            return Trial(outcome, None, milliseconds)


def _first_lines(openapi: dict[str, object], base: str) -> Iterator[str]:
    for id_ in _FIRST:
        if (page := operation_page(openapi, id_)) is not None:
            yield code_of(page, base)["curl"]


async def message(request: Request) -> Response:
    """GET /developers/messages/{id}."""
    found = message_page(await _document(request, "asyncapi.json"), request.path_params["id"])
    if found is None:
        raise HTTPException(404)
    example = "" if found.example is None else _indented(found.example)
    return render(request, "developers_message.html", MessageDetails(found, example))


async def document(request: Request) -> Response:
    """GET /developers/openapi.json and /developers/asyncapi.json: the documents as the API serves them."""
    name = request.url.path.rpartition("/")[2]
    return Response(json.dumps(await _document(request, name)), media_type="application/json")


async def _document(request: Request, name: str) -> dict[str, object]:
    outcome = await console_of(request).api.send(person_of(request), _DOCUMENTS[name])
    match outcome:
        case Answer(body=body):
            return body
        case GatewayProblem(title=title, detail=detail):
            raise PageError(502, title, detail)
        case _:
            raise PageError(502, "The gateway does not answer", "Its documents are not available now. Try again.")


def _indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _problem(outcome: Outcome[object]) -> Failure | None:
    return None if isinstance(outcome, Answer) else outcome


def _base(request: Request) -> str:
    return console_of(request).settings.api_url or ""


ROUTES: Final = [
    Route("/developers", developers),
    Route("/developers/openapi.json", document),
    Route("/developers/asyncapi.json", document),
    Route("/developers/http/{id}", operation),
    Route("/developers/messages/{id}", message),
]
