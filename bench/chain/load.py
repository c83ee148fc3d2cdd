"""The load of the chain benchmark: commands at a steady rate over HTTP, and a reader of their outcomes.

Each authorization gets a request and a revocation alternately. So all authorizations stay in use, equally many handoffs
begin and end, and each command is one read and one write at Collate.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer

from bench.http_calls import Connections
from bench.processes import ProcessorTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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
    """Reads committed events and keeps each outcome."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.seen: dict[str, Outcome] = {}
        self._consumer = consumer
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Read until canceled."""
        while True:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                now = time.perf_counter()
                for record in records:
                    headers = dict(record.headers)
                    if (kind := headers.get("ce_type")) is None:  # a record of the floor
                        self.seen.setdefault(record.value.decode(), Outcome(now, "applied", None))
                    elif b"command.finished" in kind:
                        data = json.loads(record.value)
                        outcome = Outcome(now, data["outcome"], data.get("handoffId"))
                        self.seen.setdefault(headers["ce_causationid"].decode(), outcome)
            self._changed.set()

    async def of(self, command_id: str) -> Outcome:
        """Return the outcome of a command. Raises TimeoutError if there is no outcome after a minute."""
        async with asyncio.timeout(_OUTCOME_WITHIN_SECONDS):
            while command_id not in self.seen:
                self._changed.clear()
                await self._changed.wait()
        return self.seen[command_id]


@asynccontextmanager
async def reading_outcomes(bootstrap: str, topic: str) -> AsyncIterator[Outcomes]:
    """Read the outcomes of a topic in the background."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    outcomes = Outcomes(consumer)
    reading = asyncio.create_task(outcomes.read())
    try:
        yield outcomes
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()


@dataclass(slots=True)
class SteadyResult:
    """The result of a steady rate, without the warm-up.

    Attributes:
        seconds: the time from each POST to its visible outcome, sorted.
        last: the same for the commands of the last second: these show whether the gateway kept up.
        late: POSTs that waited for the outcome of the authorization's previous command.
        refused: POSTs with a 503 response, which were sent again.
        not_applied: the number of other outcomes than applied.
        processor: processor seconds by role.
    """

    seconds: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    late: int = 0
    refused: int = 0
    not_applied: int = 0
    processor: dict[str, float] = field(default_factory=dict)


async def steady(
    address: str,
    make_request: Callable[[int, str, str | None], bytes],
    authorizations: list[str],
    outcomes: Outcomes,
    *,
    rate: float,
    seconds: float,
) -> SteadyResult:
    """Send commands at a steady rate to all authorizations, round-robin, and wait for all outcomes.

    `make_request` returns the HTTP request of a command for its number, its authorization, and the handoff to revoke.
    """
    connections, found = Connections(address), SteadyResult()
    before: dict[str, tuple[str, bool]] = {}
    locks = {authorization: asyncio.Lock() for authorization in authorizations}
    sent: dict[str, float] = {}
    processor: ProcessorTime | None = None

    async def send(number: int, authorization: str) -> None:
        async with locks[authorization]:  # a late command delays the authorization's next one
            await send_next(number, authorization)

    async def send_next(number: int, authorization: str) -> None:
        handoff_id = None
        if (last := before.get(authorization)) is not None:
            command_id, was_request = last
            found.late += command_id not in outcomes.seen
            outcome = await outcomes.of(command_id)
            handoff_id = outcome.handoff_id if was_request else None
        at = time.perf_counter()
        request = make_request(number, authorization, handoff_id)
        while (response := await connections.call(request))[0] == 503:
            found.refused += 1
            await asyncio.sleep(_RETRY_SECONDS)
        status, body = response
        if status != 202:
            raise RuntimeError(f"expected 202, got {status}: {body[:200]!r}")
        command_id = json.loads(body)["commandId"]
        before[authorization] = command_id, handoff_id is None
        if processor is not None:
            sent[command_id] = at

    tasks = []
    began = time.perf_counter()
    for number in range(int(rate * (WARM_UP_SECONDS + seconds))):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        if processor is None and number >= rate * WARM_UP_SECONDS:
            processor, found.late = ProcessorTime(), 0
        tasks.append(asyncio.create_task(send(number, authorizations[number % len(authorizations)])))
    ended = time.perf_counter()
    await asyncio.gather(*tasks)
    ends = {command_id: await outcomes.of(command_id) for command_id in sent}
    found.processor = processor.since() if processor is not None else {}
    found.seconds = sorted(ends[command_id].at - at for command_id, at in sent.items())
    found.last = sorted(ends[command_id].at - at for command_id, at in sent.items() if at > ended - 1.0)
    found.not_applied = sum(outcome.outcome != "applied" for outcome in ends.values())
    return found


def per_command(processor: dict[str, float], commands: int) -> dict[str, float]:
    """Convert the seconds of each role to milliseconds per command."""
    return {role: seconds / commands * 1000 for role, seconds in processor.items()}
