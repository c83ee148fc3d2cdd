"""Keeping a command: known already? else register the waiter, append, remember; then say what became of it.

Invariant: a 202 or 200 is given only for a command that is in the topic; a waiter registers before the append.
"""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.ingress.commands import responses
from gateway.ingress.commands.idempotency import Remembered, Replays
from gateway.ingress.commands.publisher import Appended, Appends, NotAppended, Reason
from gateway.ingress.commands.waiters import Finished, Waiters
from gateway.ingress.http.exchange import Answer, Exchange
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.problems import KafkaUnavailable, KeyReused, Overloaded, Stopping
from runtime.metrics import IngressMetrics
from schemas.commands import Command
from schemas.records import RecordedCommand, write_command
from schemas.times import format_time
from schemas.topics import partition_for

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
# What an answer takes after the last second of waiting.
_MARGIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class AcceptedCommand:
    """A checked command under the id that its caller's key gave it."""

    command_id: str
    caller: str
    authorization_id: str
    data: Command


class CommandService:
    """Appends commands and answers for them."""

    def __init__(
        self,
        publisher: Appends,
        replays: Replays,
        waiters: Waiters,
        metrics: IngressMetrics,
        *,
        source: str,
        partitions: int,
        has_status: bool = False,
    ) -> None:
        """`has_status`: there is a read model, so the answers say where a command's status is read."""
        self._has_status = has_status
        self._publisher = publisher
        self._replays = replays
        self._waiters = waiters
        self._metrics = metrics
        self._source = source
        self._partitions = partitions

    async def keep(self, exchange: Exchange, asked: AcceptedCommand, wait_seconds: int) -> Answer:
        """Keep the command and answer 202, or 200 if it finishes within `wait_seconds`.

        Raises KeyReused, and Unavailable problems where it is not known to be kept.
        """
        fields = exchange.facts.fields
        fields["command_id"] = asked.command_id
        fields["command"] = str(asked.data.TYPE)
        fields["authorization_id"] = asked.authorization_id
        if not wait_seconds:
            kept, is_replay = await self._append(exchange, asked)
            return self._accepted(asked, kept, is_replay=is_replay, waited=0)
        with self._waiters.waiting(asked.command_id) as outcome:
            kept, is_replay = await self._append(exchange, asked)
            waited = 0 if outcome is None else wait_seconds
            if outcome is not None:
                exchange.extend(wait_seconds + _MARGIN_SECONDS)
                finished = await self._waiters.outcome(outcome, wait_seconds)
                if finished is not None:
                    self._require_its_own(asked, finished)
                    return responses.finished(
                        asked.data.TYPE,
                        asked.authorization_id,
                        kept.accepted_at,
                        finished,
                        is_replay=is_replay,
                        waited=waited,
                    )
            return self._accepted(asked, kept, is_replay=is_replay, waited=waited)

    def _accepted(self, asked: AcceptedCommand, kept: Remembered, *, is_replay: bool, waited: int) -> Answer:
        return responses.accepted(
            asked.command_id,
            asked.data.TYPE,
            asked.authorization_id,
            kept.accepted_at,
            is_replay=is_replay,
            waited=waited,
            place=kept.place if self._has_status else None,
        )

    async def _append(self, exchange: Exchange, asked: AcceptedCommand) -> tuple[Remembered, bool]:
        """Return when and where the command was kept, and whether that was before this request."""
        now = datetime.now(UTC)
        accepted_at = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
        headers, value = write_command(
            RecordedCommand(
                id=asked.command_id,
                caller=asked.caller,
                authorization_id=asked.authorization_id,
                accepted_at=accepted_at,
                data=asked.data,
                traceparent=traceparent(exchange),
            ),
            self._source,
        )
        # The key may come back under another type of command, with the same (empty) body.
        digest = self._replays.digest(asked.data.TYPE.encode() + b"\n" + value)
        known = self._replays.recall(asked.command_id, time.monotonic())
        if known is not None:
            return self._replay(exchange, known, digest), True
        if (finished := self._waiters.known(asked.command_id)) is not None:
            self._require_its_own(asked, finished)
        key = asked.authorization_id.encode()
        written = await self._publisher.append(partition_for(key, self._partitions), key, value, headers)
        if isinstance(written, NotAppended):
            raise refusal(written)
        self._note(exchange, written)
        kept = Remembered(digest, format_time(accepted_at), f"{written.partition}-{written.offset}")
        self._replays.remember(asked.command_id, kept, time.monotonic())
        return kept, False

    def _replay(self, exchange: Exchange, known: Remembered, digest: bytes) -> Remembered:
        if known.digest != digest:
            raise self._conflict()
        self._metrics.replays.inc()
        exchange.facts.fields["replayed"] = True
        return known

    def _require_its_own(self, asked: AcceptedCommand, finished: Finished) -> None:
        """Raise KeyReused where another type of command has ended under this id, at whichever replica it came in."""
        if finished.event.command != asked.data.TYPE:
            raise self._conflict()

    def _conflict(self) -> KeyReused:
        self._metrics.key_conflicts.inc()
        return KeyReused("Send a fresh Idempotency-Key for another command; the first body under this key stands.")

    def _note(self, exchange: Exchange, written: Appended) -> None:
        exchange.facts.fields["partition"] = written.partition
        exchange.facts.fields["offset"] = written.offset


def refusal(written: NotAppended) -> Problem:
    """Return the problem of a record that is not known to be kept."""
    if written.reason is Reason.FULL:
        return Overloaded(
            "Nothing was kept. Send the same request with the same key again, after Retry-After.",
            retry_after_seconds=written.retry_after_seconds,
            members={"kept": "no"},
        )
    if written.reason is Reason.STOPPING:
        return Stopping(
            "Nothing was kept. Send the same request with the same key again; another replica will take it.",
            retry_after_seconds=written.retry_after_seconds,
            members={"kept": "no"},
        )
    if written.is_certain:
        return KafkaUnavailable(
            "Nothing was kept. Send the same request with the same key again, after Retry-After.",
            retry_after_seconds=written.retry_after_seconds,
            members={"kept": "no"},
        )
    return KafkaUnavailable(
        "It is not known whether the command was kept. Send the same request with the same key again: it will be one "
        "command.",
        retry_after_seconds=written.retry_after_seconds,
        members={"kept": "unknown"},
    )


def traceparent(exchange: Exchange) -> str | None:
    """Return the request's W3C trace context, if it has one that can be read."""
    value = exchange.headers.get(b"traceparent")
    return value.decode("ascii") if value is not None and _TRACEPARENT.fullmatch(value) else None
