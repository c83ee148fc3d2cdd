"""The load of the chain benchmark: commands at a steady rate over HTTP, and a reader of their outcomes.

Each authorization gets a request and a revocation alternately. So all authorizations stay in use, equally many handoffs
begin and end, and each command is one read and one write at Collate.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord

from bench.floors.bare_calls import BareCalls
from bench.harness import paced, reading
from bench.processes import ProcessorTime

WARM_UP_SECONDS = 3.0
_OUTCOME_WITHIN_SECONDS = 60.0
_RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a command, its handoff, and the time at which the reader saw it."""

    at: float
    outcome: str
    handoff_id: str | None


class Outcomes:
    """The outcomes that have been read, by command."""

    received: asyncio.Event

    def __init__(self) -> None:
        self.seen: dict[str, Outcome] = {}

    def take(self, record: ConsumerRecord, now: float) -> None:
        """Keep the outcome of a record."""
        headers = dict(record.headers)
        if (kind := headers.get("ce_type")) is None:  # a record of the floor
            self.seen.setdefault(record.value.decode(), Outcome(now, "applied", None))
        elif b"command.finished" in kind:
            data = json.loads(record.value)
            outcome = Outcome(now, data["outcome"], data.get("handoffId"))
            self.seen.setdefault(headers["ce_causationid"].decode(), outcome)

    async def of(self, command_id: str) -> Outcome:
        """Return the outcome of a command. Raises TimeoutError if there is no outcome after a minute."""
        async with asyncio.timeout(_OUTCOME_WITHIN_SECONDS):
            while command_id not in self.seen:
                self.received.clear()
                await self.received.wait()
        return self.seen[command_id]


@asynccontextmanager
async def reading_outcomes(bootstrap: str, topic: str) -> AsyncIterator[Outcomes]:
    """Read the outcomes of a topic in the background."""
    outcomes = Outcomes()
    async with reading(bootstrap, topic, outcomes.take) as outcomes.received:
        yield outcomes


@dataclass(slots=True)
class SteadyResult:
    """The result of a steady rate, without the warm-up.

    Attributes:
        seconds: the time from each POST to its visible outcome, sorted.
        last: the same for the commands of the last second: these show whether the gateway kept up.
        late: POSTs that waited for the outcome of the authorization's previous command.
        refused: POSTs with a 503 response, which were sent again.
        not_applied: the number of other outcomes than applied.
        processor: milliseconds of processor time per command, by role.
        counts: calls and transactions per command.
    """

    seconds: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    late: int = 0
    refused: int = 0
    not_applied: int = 0
    processor: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)


class SteadyLoad:
    """Sends commands to all authorizations, round-robin, and waits for all outcomes.

    `make_request` returns the HTTP request of a command for its number, its authorization, and the handoff to revoke.
    """

    def __init__(
        self, address: str, make_request: Callable[[int, str, str | None], bytes], ids: list[str], outcomes: Outcomes
    ) -> None:
        self._calls = BareCalls(address)
        self._make_request = make_request
        self._ids = ids
        self._outcomes = outcomes
        self._before: dict[str, tuple[str, bool]] = {}
        self._locks = {one: asyncio.Lock() for one in ids}
        self._sent: dict[str, float] = {}
        self._is_measured = False
        self._found = SteadyResult()

    async def run(self, rate: float, seconds: float, warm_up: float = WARM_UP_SECONDS) -> SteadyResult:
        """Send at this rate for the warm-up and then for `seconds`."""
        tasks, processor, found = [], ProcessorTime(), self._found
        async for number, due in paced(rate, warm_up + seconds):
            if not self._is_measured and due >= warm_up:
                self._is_measured, found.late, processor = True, 0, ProcessorTime()
            tasks.append(asyncio.create_task(self._send(number, self._ids[number % len(self._ids)])))
        ended = time.perf_counter()
        await asyncio.gather(*tasks)
        ends = {command_id: await self._outcomes.of(command_id) for command_id in self._sent}
        found.processor = processor.per(len(ends))
        found.seconds = sorted(ends[command_id].at - at for command_id, at in self._sent.items())
        found.last = sorted(ends[command_id].at - at for command_id, at in self._sent.items() if at > ended - 1.0)
        found.not_applied = sum(outcome.outcome != "applied" for outcome in ends.values())
        self._calls.close()
        return found

    async def _send(self, number: int, authorization: str) -> None:
        async with self._locks[authorization]:  # a late command delays the authorization's next one
            handoff_id = None
            if (last := self._before.get(authorization)) is not None:
                command_id, was_request = last
                self._found.late += command_id not in self._outcomes.seen
                outcome = await self._outcomes.of(command_id)
                handoff_id = outcome.handoff_id if was_request else None
            at = time.perf_counter()
            request = self._make_request(number, authorization, handoff_id)
            while (response := await self._calls.call(request))[0] == 503:
                self._found.refused += 1
                await asyncio.sleep(_RETRY_SECONDS)
            status, body = response
            if status != 202:
                raise RuntimeError(f"expected 202, got {status}: {body[:200]!r}")
            command_id = json.loads(body)["commandId"]
            self._before[authorization] = command_id, handoff_id is None
            if self._is_measured:
                self._sent[command_id] = at
