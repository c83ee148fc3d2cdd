"""The acceptance of a command: recall or append, remember, and wait for the outcome if the caller prefers to wait.

Invariants: a receipt is returned only for a command that is in the topic. A waiter registers before the append, and a
command takes its place among the caller's unfinished commands before it: its outcome may come before the confirmation.
"""

import math
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.requests import Request

from gateway.ingress.api_http.api_problems import KeyReused, TooManyUnknown
from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.request import traceparent, wait_seconds
from gateway.ingress.commands.accepted_command import AcceptedCommand
from gateway.ingress.commands.appending import NotAppended
from gateway.ingress.commands.claims import ClaimReader, ClaimsUnknown, already_claimed
from gateway.ingress.commands.command_log import CommandLog, problem_of_append
from gateway.ingress.commands.idempotency import Remembered, Replays
from gateway.ingress.commands.places import CallerPlaces
from gateway.ingress.commands.responses import CommandReceipt
from gateway.ingress.commands.unfinished import CallerPace, PlaceKind, UnfinishedCommands
from gateway.ingress.commands.unknown import UnknownCounts
from gateway.ingress.commands.waiters import Waiters
from runtime.metrics import IngressMetrics
from schemas.callers import person_of
from schemas.commands import HandoffClose
from schemas.records import RecordedCommand
from schemas.sealing import Keys

# The time for the response after the last second of waiting.
RESPONSE_MARGIN_SECONDS = 2.0


class CommandService:
    """Accepts commands."""

    def __init__(
        self,
        commands: CommandLog,
        replays: Replays,
        waiters: Waiters,
        unfinished: UnfinishedCommands,
        metrics: IngressMetrics,
        *,
        places: CallerPlaces,
        keys: Keys,
        unknown: UnknownCounts,
        claims: ClaimReader,
        has_read_model: bool,
    ) -> None:
        """`has_read_model`: receipts have a position, because an endpoint serves the command's status.

        `keys` are those of the worker, whose events have a digest of the first body.
        """
        self._commands = commands
        self._replays = replays
        self._waiters = waiters
        self._unfinished = unfinished
        self._places = places
        self._unknown = unknown
        self._metrics = metrics
        self._keys = keys
        self._claims = claims
        self._has_read_model = has_read_model

    async def accept(self, request: Request, command: AcceptedCommand) -> CommandReceipt:
        """Append the command of a request, and wait for its outcome as the client prefers and while it is there.

        Raises AlreadyClaimed, KeyReused, TooManyUnfinished, TooManyUnknown, and an Unavailable problem if the command
        is not known to be in the topic.
        """
        context = context_of(request.scope)
        context.log_fields["command_id"] = command.command_id
        context.log_fields["command"] = str(command.data.TYPE)
        context.log_fields["authorization_id"] = command.authorization_id
        trace, seconds = traceparent(context), wait_seconds(context)
        if not seconds:
            return await self.append(command, trace, context.log_fields)
        with self._waiters.register(command.command_id, command.caller) as waiter:
            receipt = await self.append(command, trace, context.log_fields)
            if waiter is None:
                return receipt
            context.deadline.extend(seconds + RESPONSE_MARGIN_SECONDS)
            news = await self._waiters.wait(waiter, seconds, request.receive)
            if news is not None:
                self._require_same(command, news.event.command, news.event.digest)
            return replace(receipt, waited_seconds=seconds, news=news)

    async def append(self, command: AcceptedCommand, trace: str | None, log_fields: dict[str, Any]) -> CommandReceipt:
        """Append the command, unless this replica remembers it. Adds its place to `log_fields`. Raises as `accept`."""
        remembered = self._replays.recall(command.command_id, time.monotonic())
        outcome = self._waiters.recent_outcome(command.command_id)
        if outcome is not None:
            self._require_same(command, outcome.event.command, outcome.event.digest)
        if remembered is not None:
            # The worker knows the first body; this replica may remember a later one.
            if outcome is None or outcome.event.digest is None:
                self._require_same(command, command.data.TYPE, remembered.digest)
            self._metrics.replays.inc()
            log_fields["replayed"] = True
            return self._receipt(command, remembered, is_replay=True)
        await self._require_claim(command)
        record = self._commands.serialize(
            RecordedCommand(
                id=command.command_id,
                caller=command.caller,
                authorization_id=command.authorization_id,
                accepted_at=command.accepted_at,
                data=command.data,
                own_handoffs=command.own_handoffs,
                traceparent=trace,
            )
        )
        had_place = self._unfinished.holds(command.command_id)
        if outcome is None:
            if not had_place:  # a command that may be in the topic is not refused
                self._require_known_ids(command, record.partition)
            kind = PlaceKind.CLOSE if isinstance(command.data, HandoffClose) else PlaceKind.REQUEST
            self._places.take(command.command_id, command.caller, record.partition, kind)
        result = await self._commands.append(record)
        if isinstance(result, NotAppended):
            # A certain failure comes without a wait since the place was taken: no other request counts on the place.
            if result.is_certain and not had_place:
                self._unfinished.give_back(command.command_id)
            raise problem_of_append(result)
        log_fields["partition"] = result.partition
        log_fields["offset"] = result.offset
        digest = self._keys.digests(command.data.identity())[0]
        remembered = Remembered(digest, command.accepted_at, f"{result.partition}-{result.offset}")
        self._replays.remember(command.command_id, remembered, time.monotonic())
        return self._receipt(command, remembered, is_replay=False)

    def pace(self, caller: str) -> CallerPace:
        """Return how many commands of the caller are unfinished, and how quickly they end."""
        return self._unfinished.pace(caller, time.monotonic())

    async def _require_claim(self, command: AcceptedCommand) -> None:
        """Raise AlreadyClaimed for a person's close of a handoff that another person is known to have in hand.

        The worker decides. So a claim that cannot be read soon stops no report.
        """
        close = command.data
        if not isinstance(close, HandoffClose) or close.take_over or person_of(command.caller) is None:
            return
        with suppress(ClaimsUnknown):
            known = await self._claims.open_handoff(command.authorization_id, close.handoff_id, command.caller)
            claim = known.claim if known is not None else None
            if claim is not None and claim.caller != command.caller:
                raise already_claimed(
                    "The report was not accepted: another person has the handoff in hand. Ask them first, or send "
                    "`takeOver: true` with a new Idempotency-Key to report in their place.",
                    close.handoff_id,
                    claim,
                )

    def _require_known_ids(self, command: AcceptedCommand, partition: int) -> None:
        """Raise TooManyUnknown if too many unknown authorizations count to the caller."""
        is_close = isinstance(command.data, HandoffClose)
        if wait := self._unknown.wait(command.caller, partition, time.monotonic(), is_close=is_close):
            self._metrics.shed.labels("unknown").inc()
            raise TooManyUnknown(
                "The command was not accepted, because Collate shows too few of the authorizations in your commands of "
                f"the last day: check their ids. Send the same command again in {math.ceil(wait / 60)} min.",
                retry_after_seconds=wait,
            )

    def _receipt(self, command: AcceptedCommand, remembered: Remembered, *, is_replay: bool) -> CommandReceipt:
        return CommandReceipt(
            command_id=command.command_id,
            command_type=command.data.TYPE,
            authorization_id=command.authorization_id,
            accepted_at=remembered.accepted_at,
            is_replay=is_replay,
            position=remembered.position if self._has_read_model else None,
        )

    def _require_same(self, command: AcceptedCommand, type_: str, digest: str | None) -> None:
        """Raise KeyReused if another command has this id, at this or another replica.

        An older event has no digest, and one of a key that this process lacks says nothing.
        """
        own = self._keys.digests(command.data.identity()) if digest else []
        is_other = digest is not None and digest not in own and any(known[:4] == digest[:4] for known in own)
        if is_other or type_ != command.data.TYPE:
            self._metrics.key_conflicts.inc()
            raise KeyReused(
                "Send another command with a new Idempotency-Key. The first body with this key was accepted."
            )
