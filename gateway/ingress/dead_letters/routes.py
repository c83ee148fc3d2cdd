"""The operators' routes: what waits for a person, and what they decide. All need the permission `operate`.

What a caller wrote leaves by `original` alone, to a named operator, with a line in the log.
"""

from datetime import UTC, datetime

from adapters.postgres.cursor import write_cursor
from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands import responses
from gateway.ingress.commands.routes import Bounds, parse
from gateway.ingress.commands.waiters import Finished, Waiters
from gateway.ingress.dead_letters import queries
from gateway.ingress.dead_letters.actions import Addressed, DeadLetterActions, original_of, redrive_of, trace_of
from gateway.ingress.dead_letters.index import DeadLetterFilter, IndexEntry
from gateway.ingress.dead_letters.presenter import detail, situation
from gateway.ingress.dead_letters.reader import (
    DeadLetterGone,
    DeadLetterReader,
    DeadLettersBusy,
    DeadLettersUnavailable,
)
from gateway.ingress.http.exchange import Answer, Exchange
from gateway.ingress.http.preferences import wait_seconds
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import (
    DeadLetterMoved,
    DeadLettersUnread,
    InvalidParameter,
    NotADeadLetter,
    NotRedrivable,
    Overloaded,
)
from gateway.ingress.live.outcomes import UpstreamError
from gateway.ingress.live.problems import problem_of
from gateway.ingress.live.routes import LIVE_SECONDS
from gateway.ingress.live.situations import Situations
from runtime.logs import get_log
from schemas.api.dead_letters import DeadLetterDecision, DeadLetterList, DeadLetterOriginal
from schemas.commands import Discard, Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import Outcome
from schemas.field_types import is_command_id
from schemas.model import Model

_MARGIN_SECONDS = 2.0
_JSON = (b"content-type", b"application/json")

log = get_log()


class DeadLetters:
    """The handlers."""

    def __init__(
        self,
        gate: AccessControl,
        topic: DeadLetterReader,
        *,
        requests: DeadLetterActions,
        situations: Situations,
        waiters: Waiters,
        bounds: Bounds,
    ) -> None:
        self._gate = gate
        self._topic = topic
        self._requests = requests
        self._situations = situations
        self._waiters = waiters
        self._bounds = bounds

    async def listing(self, exchange: Exchange) -> Answer:
        """GET /v1/dead-letters."""
        self._gate.admit(exchange, Permission.OPERATE)
        query = queries.query(exchange, "cause", "command", "caller", "authorizationId", "since", "limit", "cursor")
        wanted = DeadLetterFilter(
            query.get("cause"),
            query.get("command"),
            query.get("caller"),
            query.get("authorizationId"),
            queries.since(query.get("since")),
        )
        self._require_caught_up()
        page = self._topic.index.page(
            wanted, queries.behind(query.get("cursor")), queries.limit(query.get("limit")), datetime.now(UTC)
        )
        return _answer(
            DeadLetterList(
                dead_letters=[entry.summary for entry in page.entries],
                matching=page.matching,
                left_out=self._topic.index.left_out,
                next=write_cursor(*page.entries[-1].order) if page.has_more else None,
            )
        )

    async def show(self, exchange: Exchange) -> Answer:
        """GET /v1/dead-letters/{commandId}."""
        self._gate.admit(exchange, Permission.OPERATE)
        queries.query(exchange)
        entry, letter = await self._whole(exchange)
        return _answer(detail(entry, letter))

    async def original(self, exchange: Exchange) -> Answer:
        """GET /v1/dead-letters/{commandId}/original?operator=…: PHI, so who sees it is on record."""
        caller = self._gate.admit(exchange, Permission.OPERATE)
        operator = queries.operator(queries.query(exchange, "operator").get("operator"))
        _, letter = await self._whole(exchange)
        command_id = exchange.path["commandId"]
        exchange.facts.fields["operator"] = operator
        log.warning("dead_letter.revealed", command_id=command_id, operator=operator, caller=caller.name)
        original = original_of(letter)
        return _answer(
            DeadLetterOriginal(
                command_id=command_id, data=None if original is None else original.data, value=letter.record.value
            )
        )

    async def situation(self, exchange: Exchange) -> Answer:
        """GET /v1/dead-letters/{commandId}/situation: asks Collate."""
        self._gate.admit(exchange, Permission.OPERATE)
        queries.query(exchange)
        exchange.extend(LIVE_SECONDS)
        entry, letter = await self._whole(exchange)
        authorization_id = _addressed(entry).authorization_id
        original = original_of(letter)
        named = None if original is None else original.data.get("handoffId")
        found = await self._situations.read(authorization_id, named if isinstance(named, str) else None)
        if isinstance(found, UpstreamError):
            raise problem_of(found)
        return _answer(situation(entry.summary.command_id, found))

    async def redrive(self, exchange: Exchange) -> Answer:
        """POST /v1/dead-letters/{commandId}/redrive."""
        caller, decision, entry = await self._decision(exchange)
        if not entry.summary.can_redrive:
            raise NotRedrivable("The command's record can't be read. Discard it, and have its caller ask again.")
        letter = await self._fetch(entry)
        request = redrive_of(entry.summary.command_id, letter, decision)
        exchange.facts.continues = trace_of(letter)
        return await self._request(exchange, caller, entry, request)

    async def discard(self, exchange: Exchange) -> Answer:
        """POST /v1/dead-letters/{commandId}/discard."""
        caller, decision, entry = await self._decision(exchange)
        request = Discard(
            command_id=entry.summary.command_id,
            requested_by=decision.operator,
            reason=decision.reason,
            ticket=decision.ticket,
            why=decision.why,
        )
        return await self._request(exchange, caller, entry, request)

    async def _decision(self, exchange: Exchange) -> tuple[str, DeadLetterDecision, IndexEntry]:
        caller = self._gate.admit(exchange, Permission.OPERATE)
        queries.query(exchange)
        body = await exchange.body(self._bounds.max_body, self._bounds.deadline_seconds)
        exchange.require_json(body)
        decision = parse(DeadLetterDecision, body or b"{}")
        entry = self._find(exchange)
        exchange.facts.fields |= {
            "operator": decision.operator,
            "reason": decision.reason.value,
            "ticket": decision.ticket,
            "redrive": entry.summary.redrive,
        }
        if entry.summary.redrive != decision.redrive:
            raise DeadLetterMoved("It was tried again and given up again. Look at it as it is now, then decide.")
        return caller.name, decision, entry

    async def _request(self, exchange: Exchange, caller: str, entry: IndexEntry, request: Redrive | Discard) -> Answer:
        """Append the request; 200 if it ends within the caller's `Prefer: wait`, else 202."""
        to, summary = _addressed(entry), entry.summary
        seconds = wait_seconds(exchange.headers.get(b"prefer"), self._bounds.max_wait_seconds)
        command = summary.command or "unrecognised"
        with self._waiters.waiting(to.command_id) as outcome:
            accepted_at = await self._requests.append(exchange, to, caller, request, summary.redrive)
            waited = seconds if outcome is not None else 0
            if outcome is not None and seconds:
                exchange.extend(seconds + _MARGIN_SECONDS)
                ended = await self._waiters.outcome(outcome, seconds)
                if ended is not None and _is_of(request, ended):
                    return responses.finished(
                        command, to.authorization_id, accepted_at, ended, is_replay=False, waited=seconds
                    )
        return responses.accepted(
            to.command_id, command, to.authorization_id, accepted_at, is_replay=False, waited=waited
        )

    def _require_caught_up(self) -> None:
        if not self._topic.is_caught_up:
            raise DeadLettersUnread("They are still being read, or Kafka is away. Ask again.", retry_after_seconds=2)

    def _find(self, exchange: Exchange) -> IndexEntry:
        command_id = exchange.path["commandId"]
        if not is_command_id(command_id):
            raise InvalidParameter("Send the id of a command.", faults=(Fault("a UUID", parameter="commandId"),))
        exchange.facts.fields["command_id"] = command_id
        self._require_caught_up()
        entry = self._topic.index.find(command_id, datetime.now(UTC))
        if entry is None:
            raise NotADeadLetter("It waits for nobody: it has ended, was decided already, or is past retention.")
        return entry

    async def _whole(self, exchange: Exchange) -> tuple[IndexEntry, DeadLetter]:
        entry = self._find(exchange)
        return entry, await self._fetch(entry)

    async def _fetch(self, entry: IndexEntry) -> DeadLetter:
        try:
            return await self._topic.fetch(entry)
        except DeadLetterGone:
            raise NotADeadLetter("Its record is past the topic's retention.") from None
        except DeadLettersUnavailable:
            raise DeadLettersUnread("Kafka does not answer now. Ask again.", retry_after_seconds=2) from None
        except DeadLettersBusy:
            raise Overloaded("Ask again, after Retry-After.", retry_after_seconds=1) from None


def _is_of(request: Redrive | Discard, ended: Finished) -> bool:
    """Whether this is how the request itself ended: an earlier redrive may have, in vain."""
    if isinstance(request, Redrive):
        return ended.event.redrive == request.redrive
    return ended.event.outcome == Outcome.DISCARDED


def _addressed(entry: IndexEntry) -> Addressed:
    if entry.summary.authorization_id is None:
        raise NotRedrivable(
            "Its record names no authorization, so nothing can be asked of it. It leaves after 30 days."
        )
    return Addressed(entry.summary.command_id, entry.summary.authorization_id)


def _answer(model: Model) -> Answer:
    return Answer(200, model.to_json(), [_JSON])
