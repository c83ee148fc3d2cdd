"""What the workbench reads: the read model first, and Collate itself where the read model does not do.

The review snapshot and Collate's message are PHI, and each read of them is on record under the person's name. So only a
whole page whose step needs them reads them, never the part that updates. Any other live read leaves the message out.
"""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from uuid import uuid4

from starlette.requests import Request

from console.api import Answer, Failure, GatewayProblem, Outcome, body_of, failure_of, models, operations
from console.errors import PageError
from console.own_action import read_own_action
from console.page import console_of, person_of
from console.pages.workbench.confirmation import OVER, Confirmation, confirmation_of
from console.pages.workbench.message import CollateMessage, find_message, read_message
from console.sign_in.own_click import require_own_click
from console.sign_in.step_up import go_if_demanded
from console.updates import etag_of, read_freshness, read_overview
from console.views.authorization import claimant_of
from console.views.freshness import Freshness, FreshnessState
from console.views.json_values import document_of
from console.views.lists.work_list import turned_away
from console.views.workbench.bench import HandoffInHand, Workbench, workbench
from console.views.workbench.report import TypedReport
from console.views.workbench.snapshot import ShownSnapshot, shown_snapshot
from console.views.workbench.sources import chosen
from console.views.workbench.step import OFFERS, WorkStep
from schemas.fields.scalars import is_command_id, is_id
from schemas.times import parse_time

_MOST_COMMANDS: Final = 20
_MOST_ENTRIES: Final = 50


@dataclass(frozen=True, slots=True)
class WorkbenchPage:
    """The page. Exactly one of `bench`, `is_unwatched` and `failure` is set.

    `key` is the Idempotency-Key of the page's commands. `problem` and `missing` are about the last submitted form, and
    `report` has its typed values. For an update, `has_moved` says that the authorization is at another step than the
    page. `is_next` says that the browser may load that step, because the page has no typed values to lose.

    `failure` is why there is no state, and `partial` why a part of the read model is missing. `live_failure` is why
    Collate was not read, although the page needs it.
    """

    authorization_id: str
    key: str
    freshness: Freshness
    bench: Workbench | None = None
    is_unwatched: bool = False
    failure: Failure | None = None
    live_failure: Failure | None = None
    partial: Failure | None = None
    snapshot: ShownSnapshot | None = None
    snapshot_failure: Failure | None = None
    message: CollateMessage = field(default_factory=CollateMessage)
    confirmation: Confirmation | None = None
    result: models.CommandStatus | None = None
    problem: Failure | None = None
    missing: str = ""
    report: TypedReport = field(default_factory=TypedReport)
    has_moved: bool = False
    is_next: bool = False
    turned_away: tuple[models.TurnedAway, ...] = ()

    @property
    def etag(self) -> str:
        """The ETag of the part that updates."""
        is_whole = (self.partial is None, self.live_failure is None, self.message.failure is None)
        shown = (self.bench, self.failure, self.has_moved, self.is_unwatched, self.message.is_unread, is_whole)
        return self.message.marked(etag_of(*shown, self.turned_away, self.freshness.mark))


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
    with_content: bool,
    seen: str | None = None,
    key: str | None = None,
    problem: Failure | None = None,
    missing: str = "",
    report: TypedReport | None = None,
) -> WorkbenchPage:
    """Read the page.

    Args:
        request: the request for the page.
        with_content: read the review snapshot, or Collate's message, too.
        seen: for an update, the `mark` of the page that it is for.
        key: this, `problem`, `missing` and `report` are those of a form that was not accepted.
        problem: why the API rejected the form.
        missing: the field that the form lacks.
        report: what the person typed.
    """
    authorization_id, person, api = authorization_of(request), person_of(request), console_of(request).api
    own = confirmation_of(request)
    result, is_known = await _own_result(request, own, waits=seen is None)
    listing: operations.ListCommandsQuery = {
        "authorizationId": authorization_id,
        "order": "newest",
        "limit": _MOST_COMMANDS,
    }
    record, commands, timeline, freshness = await asyncio.gather(
        api.send(person, operations.read_authorization(authorization_id)),
        api.send(person, operations.list_commands(listing)),
        api.send(person, operations.read_timeline(authorization_id, {"order": "newest", "limit": _MOST_ENTRIES})),
        read_freshness(request),
    )

    def bench_with(live: models.LiveHandoff | None = None) -> Workbench | None:
        found = chosen(body_of(record), live, freshness)
        if found is None:
            return None
        now = console_of(request).now()
        listed = commands.body["commands"] if isinstance(commands, Answer) else []
        unfinished = None if own is None or is_known else own.as_unfinished(found.as_of.at, now)
        return workbench(
            found,
            listed if unfinished is None else [unfinished, *listed],
            timeline.body["entries"] if isinstance(timeline, Answer) else [],
            person=person.name,
            now=now,
        )

    live: Outcome[models.LiveHandoff] | None = None
    bench = bench_with()
    since = _since(own, record)
    is_fresh = freshness.state is FreshnessState.FRESH
    is_unwatched = is_fresh and isinstance(record, GatewayProblem) and record.slug == "not-found"
    needs_live = (
        bench is None
        or not is_fresh
        or (own is not None and not is_known)
        or (bench.step in OFFERS if seen is None else bench.mark != seen)
    )
    if needs_live and not is_unwatched and person.may("handoff:grant"):
        without_message: operations.ReadHandoffQuery = {"message": "omit", "operator": person.name_for_api, **since}
        live = await api.send(person, operations.read_handoff(authorization_id, "active", without_message))
        bench = bench_with(body_of(live))
    page = WorkbenchPage(
        authorization_id,
        key or new_key(),
        freshness,
        bench=bench,
        is_unwatched=is_unwatched,
        failure=failure_of(record) if bench is None and not is_unwatched else None,
        live_failure=failure_of(live),
        partial=failure_of(record) or failure_of(commands) or failure_of(timeline),
        confirmation=own,
        result=result,
        problem=problem,
        missing=missing,
        report=report or TypedReport(),
        turned_away=await _turned_away(request, bench),
    )
    if bench is None:
        return page
    operator, may_enter = person.name_for_api, page.live_failure is None and person.may("handoff:grant")
    match bench.step, bench.handoff:
        case WorkStep.REVIEW, _ if with_content and person.may("authorization:review"):
            require_own_click(request)
            review = await api.send(person, operations.read_review_snapshot(authorization_id, {"operator": operator}))
            if isinstance(review, Answer):
                return replace(page, snapshot=shown_snapshot(document_of(review.content)))
            go_if_demanded(request, review)
            return replace(page, snapshot_failure=review)
        case WorkStep.SESSION, HandoffInHand(is_of_another=False) as handoff if may_enter:
            if not with_content:
                return replace(page, message=await find_message(request, bench, handoff, since, body_of(live)))
            require_own_click(request)
            return replace(page, message=await read_message(request, bench, handoff, since))
        case _:
            return page


def _since(own: Confirmation | None, record: Outcome[models.AuthorizationStatus]) -> operations.ReadHandoffQuery:
    """Return the bound of a live read: it is newer than the person's own command and than the read model's record."""
    times = [own.at, own.seen_at] if own is not None else []
    if isinstance(record, Answer):
        times.append(record.body["updatedAt"])
    return {"since": max(times, key=parse_time)} if times else {}


async def _turned_away(request: Request, bench: Workbench | None) -> tuple[models.TurnedAway, ...]:
    """Return that the payer turns people away, for a page that offers to open a handoff."""
    if bench is None or bench.step not in OFFERS:
        return ()
    payer = bench.authorization.get("payerId")
    return tuple(turned for turned in turned_away(await read_overview(request)) if turned["payerId"] == payer)


async def _own_result(
    request: Request, own: Confirmation | None, *, waits: bool
) -> tuple[models.CommandStatus | None, bool]:
    """Return the result of the person's last command, and whether the read model has it.

    With `waits` the page waits once for a read model that lacks the person's own action.
    """
    api, person = console_of(request).api, person_of(request)
    command_id = request.query_params.get("command", "")
    if not is_command_id(command_id):
        if own is not None and own.is_release and waits:
            read_record = partial(api.send, person, operations.read_authorization(authorization_of(request)))
            await read_own_action(read_record, lambda record: claimant_of(record) != person.name)
        return None, True

    def is_known(found: models.CommandStatus) -> bool:
        return own is None or not own.is_over or found["status"] in OVER

    read = partial(api.send, person, operations.read_command(command_id))
    outcome = await (read_own_action(read, is_known) if own is not None and waits else read())
    if isinstance(outcome, Answer) and is_known(outcome.body):
        return outcome.body, True
    return (None if own is None else own.result), False
