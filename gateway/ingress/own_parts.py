"""What is wrong with the gateway's own parts, as this ingress knows it, for the overview.

A part whose state is unknown is not wrong. Whether a worker runs is read from the workers' consumer group when somebody
looks, at most every five seconds.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from adapters.collate.reader import CollateReader
from gateway.ingress.shared_reads import SharedReads
from gateway.ingress.webhooks import WebhookStates
from runtime.health import Health
from schemas.api.reads import Webhooks
from schemas.enums import PartFault

CountWorkers = Callable[[], Coroutine[Any, Any, int | None]]


class OwnParts:
    """The parts of the installation."""

    def __init__(
        self, health: Health, collate: CollateReader, webhooks: WebhookStates, count_workers: CountWorkers
    ) -> None:
        """`count_workers` returns the number of workers that run; None if it cannot be known now."""
        self._health = health
        self._collate = collate
        self._webhooks = webhooks
        self._count_workers = count_workers
        self._workers = SharedReads[int | None](lambda _: True)

    async def look(self) -> tuple[list[PartFault], Webhooks | None]:
        """Return what is wrong, in the order of PartFault, and the state of the webhooks."""
        webhooks, workers = await asyncio.gather(self._webhooks.current(), self._known_workers())
        wrong = {
            PartFault.KAFKA: self._is_kafka_away,
            PartFault.WORKER: workers == 0,
            PartFault.COLLATE: self._collate.is_away,
            PartFault.DELIVERER: webhooks is not None and webhooks.unreachable == len(self._webhooks.urls),
        }
        return [fault for fault, is_so in wrong.items() if is_so], webhooks

    @property
    def _is_kafka_away(self) -> bool:
        kafka = self._health.component("kafka")
        return kafka is not None and kafka.state != "ok"

    async def _known_workers(self) -> int | None:
        # Without Kafka nothing is known of the workers, and the read would only wait.
        return None if self._is_kafka_away else await self._workers.get("workers", self._count_workers)
