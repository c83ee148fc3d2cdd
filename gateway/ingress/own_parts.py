"""What is wrong with the gateway's own parts, as this ingress knows it, for the overview.

A part whose state is unknown is not wrong. Whether a worker runs is read from the workers' consumer group, and whether
Collate answers from its public `/health`: nothing else calls Collate while an installation is quiet.
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from adapters.collate.answers import Ambiguous, NotSent
from adapters.collate.reader import CollateReader
from gateway.ingress.webhooks import WebhookStates
from runtime.health import Health
from schemas.api.reads import Webhooks
from schemas.enums import PartFault

Value = TypeVar("Value")
CountWorkers = Callable[[], Coroutine[Any, Any, int | None]]
FRESH_SECONDS: Final = 5.0
OLDEST_SECONDS: Final = 10.0
_HEALTH_SECONDS: Final = 2.0


class RecentValue(Generic[Value]):
    """A value that is read while somebody looks: again after FRESH_SECONDS, and no look waits until OLDEST_SECONDS."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, Value]]) -> None:
        self._read = read
        self._value: Value
        self._read_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    async def get(self) -> Value:
        """Return the value."""
        age = time.monotonic() - self._read_at
        if age > FRESH_SECONDS and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._renew())
        if age > OLDEST_SECONDS and self._reading is not None:
            await asyncio.shield(self._reading)
        return self._value

    async def _renew(self) -> None:
        self._value = await self._read()
        self._read_at = time.monotonic()


class OwnParts:
    """The parts of the installation."""

    def __init__(
        self, health: Health, collate: CollateReader, webhooks: WebhookStates, count_workers: CountWorkers
    ) -> None:
        """`count_workers` returns the number of workers that run; None if it cannot be known now."""
        self._health = health
        self._collate = collate
        self._webhooks = webhooks
        self._workers = RecentValue(count_workers)
        self._is_silent = RecentValue(self._ask_collate)

    async def look(self) -> tuple[list[PartFault], Webhooks | None]:
        """Return what is wrong, in the order of PartFault, and the state of the webhooks."""
        webhooks, workers, is_silent = await asyncio.gather(
            self._webhooks.current(), self._known_workers(), self._is_silent.get()
        )
        wrong = {
            PartFault.KAFKA: self._is_kafka_away,
            PartFault.WORKER: workers == 0,
            PartFault.COLLATE: is_silent or self._collate.is_away,
            PartFault.DELIVERER: webhooks is not None and webhooks.unreachable == len(self._webhooks.urls),
        }
        return [fault for fault, is_so in wrong.items() if is_so], webhooks

    @property
    def _is_kafka_away(self) -> bool:
        kafka = self._health.component("kafka")
        return kafka is not None and kafka.state != "ok"

    async def _known_workers(self) -> int | None:
        # Without Kafka nothing is known of the workers, and the read would only wait.
        return None if self._is_kafka_away else await self._workers.get()

    async def _ask_collate(self) -> bool:
        """Return whether Collate gives no answer at all, not even an error."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                found = await self._collate.health()
        except TimeoutError:
            return True
        return isinstance(found, NotSent) or (isinstance(found, Ambiguous) and found.status is None)
