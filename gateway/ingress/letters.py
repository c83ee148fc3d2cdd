"""The operators' routes: what waits for a person, and what they decide. All need the permission `operate`.

What a caller wrote leaves by `original` alone, to a named operator, with a line in the log.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from gateway.ingress import answers
from gateway.ingress.authentication import Gate
from gateway.ingress.callers import Permission
from gateway.ingress.commands import Bounds, parse
from gateway.ingress.exchange import Answer, Exchange
from gateway.ingress.letter_index import Entry, Wanted
from gateway.ingress.letter_requests import Addressed, LetterRequests, original_of, redrive_of
from gateway.ingress.letter_topic import LetterGone, LettersAway, LettersBusy, LetterTopic
from gateway.ingress.live_calls import LIVE_SECONDS
from gateway.ingress.live_problems import problem_of
from gateway.ingress.preferences import wait_seconds
from gateway.ingress.problems import (
    DeadLetterMoved,
    DeadLettersUnread,
    Fault,
    InvalidParameter,
    NotADeadLetter,
    NotRedrivable,
    Overloaded,
)
from gateway.ingress.waiting import Finished, Waiters
from gateway.live.outcomes import Declined
from gateway.live.situations import Situation, Situations
from gateway.readmodel.cursor import CursorInvalid, read_cursor, write_cursor
from gateway.readmodel.public import public_json
from gateway.runtime.logs import get_log
from schemas.commands import COMMANDS, Discard, Redrive
from schemas.deadletter import DeadLetter
from schemas.identity import canonical_json
from schemas.letters import (
    DeadLetterDecision,
    DeadLetterDetail,
    DeadLetterList,
    DeadLetterOriginal,
    DeadLetterSituation,
    DeadLetterWrite,
    HandoffNow,
)
from schemas.model import Model
from schemas.times import parse_time
from schemas.vocabulary import Outcome
from schemas.words import Name, is_command_id, is_id, word

MOST_ROWS, USUAL_ROWS = 200, 50
_MOST_TERMS = 10
_MARGIN_SECONDS = 2.0
_JSON = (b"content-type", b"application/json")
_NAME: TypeAdapter[str] = TypeAdapter(Name)

log = get_log()


class Letters:
    """The handlers."""

    def __init__(
        self,
        gate: Gate,
        topic: LetterTopic,
        *,
        requests: LetterRequests,
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
        query = _query(exchange, "cause", "command", "caller", "authorizationId", "since", "limit", "cursor")
        wanted = Wanted(
            query.get("cause"),
            query.get("command"),
            query.get("caller"),
            query.get("authorizationId"),
            _since(query.get("since")),
        )
        self._require_caught_up()
        page = self._topic.index.page(
            wanted, _behind(query.get("cursor")), _limit(query.get("limit")), datetime.now(UTC)
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
        _query(exchange)
        entry, letter = await self._whole(exchange)
        return _answer(_detail(entry, letter))

    async def original(self, exchange: Exchange) -> Answer:
        """GET /v1/dead-letters/{commandId}/original?operator=…: PHI, so who sees it is on record."""
        caller = self._gate.admit(exchange, Permission.OPERATE)
        operator = _operator(_query(exchange, "operator").get("operator"))
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
        _query(exchange)
        exchange.extend(LIVE_SECONDS)
        entry, letter = await self._whole(exchange)
        authorization_id = _addressed(entry).authorization_id
        original = original_of(letter)
        named = None if original is None else original.data.get("handoffId")
        found = await self._situations.read(authorization_id, named if isinstance(named, str) else None)
        if isinstance(found, Declined):
            raise problem_of(found)
        return _answer(_situation(entry.summary.command_id, found))

    async def redrive(self, exchange: Exchange) -> Answer:
        """POST /v1/dead-letters/{commandId}/redrive."""
        caller, decision, entry = await self._decision(exchange)
        if not entry.summary.can_redrive:
            raise NotRedrivable("The command's record can't be read. Discard it, and have its caller ask again.")
        letter = await self._fetch(entry)
        request = redrive_of(entry.summary.command_id, letter, decision)
        return await self._request(exchange, caller, entry, request)

    async def discard(self, exchange: Exchange) -> Answer:
        """POST /v1/dead-letters/{commandId}/discard."""
        caller, decision, entry = await self._decision(exchange)
        request = Discard(command_id=entry.summary.command_id, requested_by=decision.operator, why=decision.why)
        return await self._request(exchange, caller, entry, request)

    async def _decision(self, exchange: Exchange) -> tuple[str, DeadLetterDecision, Entry]:
        caller = self._gate.admit(exchange, Permission.OPERATE)
        _query(exchange)
        body = await exchange.body(self._bounds.max_body, self._bounds.deadline_seconds)
        exchange.require_json(body)
        decision = parse(DeadLetterDecision, body or b"{}")
        entry = self._find(exchange)
        exchange.facts.fields |= {"operator": decision.operator, "redrive": entry.summary.redrive}
        if entry.summary.redrive != decision.redrive:
            raise DeadLetterMoved("It was tried again and given up again. Look at it as it is now, then decide.")
        return caller.name, decision, entry

    async def _request(self, exchange: Exchange, caller: str, entry: Entry, request: Redrive | Discard) -> Answer:
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
                    return answers.finished(
                        command, to.authorization_id, accepted_at, ended, is_replay=False, waited=seconds
                    )
        return answers.accepted(
            to.command_id, command, to.authorization_id, accepted_at, is_replay=False, waited=waited
        )

    def _require_caught_up(self) -> None:
        if not self._topic.is_caught_up:
            raise DeadLettersUnread("They are still being read, or Kafka is away. Ask again.", retry_after_seconds=2)

    def _find(self, exchange: Exchange) -> Entry:
        command_id = exchange.path["commandId"]
        if not is_command_id(command_id):
            raise InvalidParameter("Send the id of a command.", faults=(Fault("a UUID", parameter="commandId"),))
        exchange.facts.fields["command_id"] = command_id
        self._require_caught_up()
        entry = self._topic.index.find(command_id, datetime.now(UTC))
        if entry is None:
            raise NotADeadLetter("It waits for nobody: it has ended, was decided already, or is past retention.")
        return entry

    async def _whole(self, exchange: Exchange) -> tuple[Entry, DeadLetter]:
        entry = self._find(exchange)
        return entry, await self._fetch(entry)

    async def _fetch(self, entry: Entry) -> DeadLetter:
        try:
            return await self._topic.fetch(entry)
        except LetterGone:
            raise NotADeadLetter("Its record is past the topic's retention.") from None
        except LettersAway:
            raise DeadLettersUnread("Kafka does not answer now. Ask again.", retry_after_seconds=2) from None
        except LettersBusy:
            raise Overloaded("Ask again, after Retry-After.", retry_after_seconds=1) from None


def _is_of(request: Redrive | Discard, ended: Finished) -> bool:
    """Whether this is how the request itself ended: an earlier redrive may have, in vain."""
    if isinstance(request, Redrive):
        return ended.event.redrive == request.redrive
    return ended.event.outcome == Outcome.DISCARDED


def _addressed(entry: Entry) -> Addressed:
    if entry.summary.authorization_id is None:
        raise NotRedrivable(
            "Its record names no authorization, so nothing can be asked of it. It leaves after 30 days."
        )
    return Addressed(entry.summary.command_id, entry.summary.authorization_id)


def _detail(entry: Entry, letter: DeadLetter) -> DeadLetterDetail:
    shown = dict(entry.summary)
    return DeadLetterDetail(
        **shown,
        asks=_asks(letter),
        sent=[_write(one) for one in letter.intents],
        partition=letter.record.partition,
        offset=letter.record.offset,
    )


def _asks(letter: DeadLetter) -> dict[str, Any] | None:
    original = original_of(letter)
    if original is None:
        return None
    try:
        data = COMMANDS[original.type].from_record(canonical_json(original.data))
    except (ValidationError, ValueError):
        return None
    asks: dict[str, Any] = json.loads(public_json(data))
    return asks


def _write(write: Mapping[str, Any]) -> DeadLetterWrite:
    ended, sent_at = write.get("ended"), write.get("first_sent_at")
    return DeadLetterWrite(
        n=write["n"],
        operation=word(str(write["operation"])),
        handoff_id=write.get("handoff_id"),
        if_match=write.get("if_match"),
        first_sent_at=None if sent_at is None else datetime.fromtimestamp(sent_at, UTC),
        ended=None if ended is None else word(str(ended)),
        may_have_arrived=ended is None or "maybe" in write,
    )


def _situation(command_id: str, found: Situation) -> DeadLetterSituation:
    it, handoff = found.authorization, found.handoff
    action, snapshot = it.next_action, it.review_snapshot
    now = None
    if found.handoff_id is not None:
        now = HandoffNow(
            id=found.handoff_id,
            state=handoff.state if handoff else None,
            result=handoff.result if handoff else None,
            version=handoff.version if handoff else None,
        )
    return DeadLetterSituation(
        command_id=command_id,
        at=datetime.now(UTC),
        authorization_id=it.id,
        version=it.version,
        status=it.status,
        outcome=it.outcome,
        next_action=action.type if action else None,
        resolution=action.resolution.kind if action and action.resolution else None,
        covers_review_snapshot_id=it.covers_review_snapshot_id,
        review_snapshot_id=snapshot.id if snapshot else None,
        review_snapshot_status=snapshot.status if snapshot else None,
        receipt_seen=it.receipt_seen,
        decision_seen=it.decision_seen,
        active_handoff_id=it.active_handoff_id,
        handoff=now,
    )


def _query(exchange: Exchange, *known: str) -> Mapping[str, str]:
    text = exchange.scope["query_string"].decode("latin-1")
    try:
        terms = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_TERMS)
    except ValueError:
        raise _wrong("query", f"at most {_MOST_TERMS} parameters") from None
    found = dict(terms)
    if len(found) != len(terms) or not found.keys() <= set(known):
        raise _wrong("query", f"each of {', '.join(known)} once at most" if known else "no parameters")
    for name, value in found.items():
        if not value or len(value) > 512 or (name == "authorizationId" and not is_id(value)):
            raise _wrong(name, "an id of Collate's" if name == "authorizationId" else "a value")
    return found


def _since(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise _wrong("since", "an RFC 3339 time with an offset") from None


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_ROWS
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MOST_ROWS):
        raise _wrong("limit", f"a number from 1 to {MOST_ROWS}")
    return int(text)


def _behind(cursor: str | None) -> tuple[datetime, str] | None:
    try:
        if cursor is None:
            return None
        at, command_id = read_cursor(cursor, str)
    except CursorInvalid:
        raise _wrong("cursor", "`next` of the answer before, unchanged") from None
    return at, command_id


def _operator(text: str | None) -> str:
    try:
        return _NAME.validate_python(text)
    except ValidationError:
        raise _wrong("operator", "who will see it, on one line, at most 128 characters") from None


def _wrong(parameter: str, expected: str) -> InvalidParameter:
    return InvalidParameter("Correct the query.", faults=(Fault(expected, parameter=parameter),))


def _answer(model: Model) -> Answer:
    return Answer(200, model.to_json(), [_JSON])
