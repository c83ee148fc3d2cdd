"""The operators' routes for dead letters. All of them need the permission `operate`.

Only `original` returns the caller's content. It needs the operator's name, and leaves a record and a log line.
"""

from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.api_problems import DeadLetterMoved, NotADeadLetter, NotRedrivable
from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.deadlines import LIVE_CALL_SECONDS
from gateway.ingress.api_http.query import read_after, read_query
from gateway.ingress.api_http.request import path_command_id, read_json, wait_seconds
from gateway.ingress.api_http.responses import ModelResponse
from gateway.ingress.auth.names import parse_with_operator, required_operator
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.responses import CommandReceipt, command_response
from gateway.ingress.commands.service import RESPONSE_MARGIN_SECONDS
from gateway.ingress.commands.waiters import Finished, News, Waiters
from gateway.ingress.dead_letters.actions import (
    DeadLetterActions,
    discard_of,
    not_redrivable,
    original_of,
    redrive_of,
    traceparent_of,
)
from gateway.ingress.dead_letters.index import IndexEntry, after, digest_of
from gateway.ingress.dead_letters.public_dead_letter import detail, situation
from gateway.ingress.dead_letters.reader import DeadLetterGone, DeadLetterReader
from gateway.ingress.live.audit import AccessRecord
from gateway.ingress.live.live_problems import problem_of
from gateway.ingress.live.outcomes import UpstreamError
from gateway.ingress.live.situations import Situations
from runtime.logs import get_log
from schemas.api.cursor import write_cursor
from schemas.api.dead_letters import DeadLetterDecision, DeadLetterList, DeadLetterOriginal
from schemas.api.queries import DeadLettersQuery, OperatorQuery, Query
from schemas.commands import Discard, Original, RecordRead, Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import CommandType, Outcome, ReadContent
from schemas.fields.scalars import UNRECOGNISED
from schemas.sealing import Keys
from schemas.topics import DEAD_LETTER_DAYS

log = get_log()


class DeadLetters:
    """The endpoints."""

    def __init__(
        self,
        access: AccessControl,
        reader: DeadLetterReader,
        actions: DeadLetterActions,
        situations: Situations,
        waiters: Waiters,
        *,
        keys: Keys,
        record: AccessRecord,
    ) -> None:
        self._access = access
        self._reader = reader
        self._actions = actions
        self._situations = situations
        self._waiters = waiters
        self._keys = keys
        self._record = record

    async def list_page(self, request: Request) -> Response:
        """GET /v1/dead-letters."""
        self._access.admit(request)
        query = read_query(request, DeadLettersQuery)
        now = datetime.now(UTC)
        wanted = query.model_copy(update={"before": query.before or now})
        self._reader.require_caught_up()
        matching = await self._reader.index.matching(wanted, now)
        rest = after(matching, read_after(query.cursor, datetime, str))
        page = rest[: query.limit]
        has_digest = query.digest is not None
        return ModelResponse(
            DeadLetterList(
                dead_letters=[entry.summary for entry in page],
                matching=len(matching),
                at=wanted.before if has_digest else None,
                digest=await digest_of(matching) if has_digest else None,
                left_out=self._reader.index.left_out,
                next=write_cursor(*page[-1].order) if len(rest) > len(page) else None,
            )
        )

    async def show(self, request: Request) -> Response:
        """GET /v1/dead-letters/{commandId}."""
        self._access.admit(request)
        read_query(request, Query)
        entry = self._find(request)
        return ModelResponse(detail(entry, await self._fetch(entry), self._keys))

    async def original(self, request: Request) -> Response:
        """GET /v1/dead-letters/{commandId}/original?operator=…: PHI, so the read is recorded first."""
        caller = self._access.admit(request)
        operator = required_operator(caller, read_query(request, OperatorQuery).operator)
        entry = self._find(request)
        dead_letter = await self._fetch(entry)
        command_id = entry.summary.command_id
        context_of(request.scope).log_fields["operator"] = operator
        log.warning("ingress.original_revealed", command_id=command_id, operator=operator, caller=caller.name)
        # A record without an authorization has no place on the topic; then the log line is the only record.
        if (authorization_id := entry.summary.authorization_id) is not None:
            read = RecordRead(content=ReadContent.DEAD_LETTER_ORIGINAL, operator=operator, of_command=command_id)
            await self._record.put(authorization_id, caller.name, read)
        original = original_of(dead_letter, self._keys)
        data = original.data if isinstance(original, Original) else None
        return ModelResponse(DeadLetterOriginal(command_id=command_id, data=data, value=dead_letter.record.value))

    async def situation(self, request: Request) -> Response:
        """GET /v1/dead-letters/{commandId}/situation: the state at Collate now."""
        caller = self._access.admit(request)
        read_query(request, Query)
        context_of(request.scope).deadline.extend(LIVE_CALL_SECONDS)
        entry = self._find(request)
        dead_letter = await self._fetch(entry)
        authorization_id = _authorization_of(entry)
        original = original_of(dead_letter, self._keys)
        handoff_id = original.data.get("handoffId") if isinstance(original, Original) else None
        handoff_id = handoff_id if isinstance(handoff_id, str) else None
        result = await self._situations.read(authorization_id, handoff_id, caller.name)
        if isinstance(result, UpstreamError):
            raise problem_of(result)
        return ModelResponse(situation(entry.summary.command_id, result))

    async def redrive(self, request: Request) -> Response:
        """POST /v1/dead-letters/{commandId}/redrive."""
        caller, operator, decision, entry = await self._read_decision(request)
        if not entry.summary.can_redrive:
            raise not_redrivable()
        dead_letter = await self._fetch(entry)
        action = redrive_of(entry.summary.command_id, dead_letter, decision, operator, self._keys)
        context_of(request.scope).trace_link = traceparent_of(dead_letter)
        return await self._append(request, caller, entry, action)

    async def discard(self, request: Request) -> Response:
        """POST /v1/dead-letters/{commandId}/discard."""
        caller, operator, decision, entry = await self._read_decision(request)
        return await self._append(request, caller, entry, discard_of(entry.summary.command_id, decision, operator))

    async def _read_decision(self, request: Request) -> tuple[str, str, DeadLetterDecision, IndexEntry]:
        """Return the caller, the operator, the decision and the dead letter."""
        caller = self._access.admit(request)
        read_query(request, Query)
        decision, operator = parse_with_operator(caller, DeadLetterDecision, await read_json(request))
        entry = self._find(request)
        context_of(request.scope).log_fields |= {
            "operator": operator,
            "reason": decision.reason.value,
            "ticket": decision.ticket,
            "redrive": entry.summary.redrive,
        }
        if entry.summary.redrive != decision.redrive:
            raise _moved(decision.redrive, entry.summary.redrive)
        if decision.dead_at not in {None, entry.summary.dead_at}:
            raise DeadLetterMoved("Your decision was about an earlier command with the same key. Read this one.")
        return caller.name, operator, decision, entry

    async def _append(self, request: Request, caller: str, entry: IndexEntry, action: Redrive | Discard) -> Response:
        """Append the action. Return 200 if it ends within the caller's `Prefer: wait`, else 202."""
        context, authorization_id, summary = context_of(request.scope), _authorization_of(entry), entry.summary
        seconds = wait_seconds(context)
        news: News | None = None
        # The tail of `events` may be behind the index, and still bring the dead letter that is decided here.
        is_wanted = partial(_is_news_of, action)
        with self._waiters.register(summary.command_id, caller, is_wanted) if seconds else nullcontext() as waiter:
            accepted_at = await self._actions.append(context, authorization_id, caller, action)
            if waiter is not None:
                context.deadline.extend(seconds + RESPONSE_MARGIN_SECONDS)
                news = await self._waiters.wait(waiter, seconds, request.receive)
        if isinstance(action, Discard) and news is not None and (later := news.event.redrive or 0) > summary.redrive:
            raise _moved(summary.redrive, later)
        receipt = CommandReceipt(
            command_id=summary.command_id,
            command_type=CommandType(summary.command or UNRECOGNISED),
            authorization_id=authorization_id,
            accepted_at=accepted_at,
            waited_seconds=0 if waiter is None else seconds,
            news=news,
        )
        return command_response(receipt)

    def _find(self, request: Request) -> IndexEntry:
        command_id = path_command_id(request)
        self._reader.require_caught_up()
        entry = self._reader.index.find(command_id, datetime.now(UTC))
        if entry is None:
            raise NotADeadLetter("The command has no dead letter: it has ended, was decided, or has expired.")
        return entry

    async def _fetch(self, entry: IndexEntry) -> DeadLetter:
        try:
            return await self._reader.fetch(entry)
        except DeadLetterGone:
            raise NotADeadLetter("The record of the dead letter has expired.") from None


def _moved(number: int, later: int) -> DeadLetterMoved:
    return DeadLetterMoved(f"Your decision was about number {number}, and redrive {later} came first. Read it again.")


def _is_news_of(action: Redrive | Discard, news: News) -> bool:
    """Return whether the news is that of this action, or that a redrive before this discard has ended."""
    number = news.event.redrive or 0
    if isinstance(action, Redrive):
        return number == action.redrive
    return number > (action.redrive or 0) or (isinstance(news, Finished) and news.event.outcome == Outcome.DISCARDED)


def _authorization_of(entry: IndexEntry) -> str:
    if entry.summary.authorization_id is None:
        raise NotRedrivable(
            "The record names no authorization, so it can be neither redriven nor discarded. "
            f"It expires after {DEAD_LETTER_DAYS} days."
        )
    return entry.summary.authorization_id
