"""What the workbench reads from the API, in as few calls as its step needs.

The review snapshot is PHI, and each read of it is on record under the person's name. So only a whole page that asks
for a review reads it, never the part that updates.
"""

import asyncio
from dataclasses import dataclass, field, replace
from uuid import uuid4

from starlette.requests import Request

from gateway.console.api import api_path
from gateway.console.errors import PageError
from gateway.console.outcomes import ApiAnswer, ApiNotReached, ApiRefusal
from gateway.console.page import console_of, person_of
from gateway.console.person import SignedInPerson
from gateway.console.updating_part import etag_of
from gateway.console.views.content import read_document
from gateway.console.views.workbench.bench import CommandResult, Workbench, command_result, workbench
from gateway.console.views.workbench.report import TypedReport
from gateway.console.views.workbench.snapshot import ShownSnapshot, shown_snapshot
from gateway.console.views.workbench.step import WorkStep
from schemas.fields.scalars import is_command_id, is_id

Failure = ApiRefusal | ApiNotReached
_MOST_COMMANDS = "20"
_MOST_ENTRIES = "50"


@dataclass(frozen=True, slots=True)
class WorkbenchPage:
    """The page. Exactly one of `bench`, `is_unwatched` and `failure` is set.

    `key` is the Idempotency-Key of the page's commands. `problem` and `missing` are about the last submitted form, and
    `report` has its typed values. For an update, `has_moved` says that the authorization is at another step than the
    page. `is_next` says that the browser may load that step, because the page has no typed values to lose.
    """

    authorization_id: str
    key: str
    bench: Workbench | None = None
    is_unwatched: bool = False
    failure: Failure | None = None
    partial: Failure | None = None
    snapshot: ShownSnapshot | None = None
    snapshot_failure: Failure | None = None
    result: CommandResult | None = None
    problem: Failure | None = None
    missing: str = ""
    report: TypedReport = field(default_factory=TypedReport)
    has_moved: bool = False
    is_next: bool = False

    @property
    def etag(self) -> str:
        """The ETag of the part that updates."""
        return etag_of(self.bench, self.failure, self.has_moved, self.is_unwatched, self.partial is None)


def authorization_of(request: Request) -> str:
    """Return the id of the path. Raises PageError for a text that is no id."""
    authorization_id: str = request.path_params["authorization_id"]
    if not is_id(authorization_id):
        raise PageError(404, "There is no such authorization", "An id has letters, digits and . _ ~ - only.")
    return authorization_id


def new_key() -> str:
    """Return a new Idempotency-Key for the forms of a page."""
    return str(uuid4())


async def read_workbench(
    request: Request,
    *,
    with_snapshot: bool,
    key: str | None = None,
    problem: Failure | None = None,
    missing: str = "",
    report: TypedReport | None = None,
) -> WorkbenchPage:
    """Read the page. `key`, `problem`, `missing` and `report` are those of a form that was not accepted."""
    authorization_id, person, api = authorization_of(request), person_of(request), console_of(request).api
    command_id = request.query_params.get("command", "")
    authorization, commands, timeline, sent = await asyncio.gather(
        api.get(person, api_path("v1", "authorizations", authorization_id)),
        api.get(
            person,
            api_path("v1", "commands"),
            {"authorizationId": authorization_id, "order": "newest", "limit": _MOST_COMMANDS},
        ),
        api.get(
            person,
            api_path("v1", "authorizations", authorization_id, "timeline"),
            {"order": "newest", "limit": _MOST_ENTRIES},
        ),
        _command(request, command_id),
    )
    page = WorkbenchPage(
        authorization_id,
        key or new_key(),
        result=sent,
        problem=problem,
        missing=missing,
        report=report or TypedReport(),
    )
    if not isinstance(authorization, ApiAnswer):
        if isinstance(authorization, ApiRefusal) and authorization.slug == "not-found":
            return replace(page, is_unwatched=True)
        return replace(page, failure=authorization)
    bench = workbench(
        authorization.body,
        commands.body["commands"] if isinstance(commands, ApiAnswer) else [],
        timeline.body["entries"] if isinstance(timeline, ApiAnswer) else [],
        person=person.name,
        now=console_of(request).now(),
    )
    partial = next((each for each in (commands, timeline) if not isinstance(each, ApiAnswer)), None)
    page = replace(page, bench=bench, partial=partial)
    if not with_snapshot or bench.step is not WorkStep.REVIEW or not person.may("authorization:review"):
        return page
    review = await api.get(
        person, api_path("v1", "authorizations", authorization_id, "review-snapshot"), operator_query(person)
    )
    if isinstance(review, ApiAnswer):
        return replace(page, snapshot=shown_snapshot(read_document(review.content)))
    return replace(page, snapshot_failure=review)


def operator_query(person: SignedInPerson) -> dict[str, str]:
    """Return the person's name as a query, if the API does not take it from the token."""
    return {} if person.is_named_by_token else {"operator": person.name}


def named(person: SignedInPerson, *fields: str) -> dict[str, str]:
    """Return the person's name in these fields of a body, if the API does not take it from the token."""
    return {} if person.is_named_by_token else dict.fromkeys(fields, person.name)


async def _command(request: Request, command_id: str) -> CommandResult | None:
    if not is_command_id(command_id):
        return None
    outcome = await console_of(request).api.get(person_of(request), api_path("v1", "commands", command_id))
    return command_result(command_id, outcome.body if isinstance(outcome, ApiAnswer) else None)
