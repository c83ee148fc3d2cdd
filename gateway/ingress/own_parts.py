"""What is wrong with the gateway's own parts, as this ingress knows it, for the overview.

A part whose state is unknown is not wrong. Whether a worker runs is read from the workers' consumer group, and whether
Collate answers from its public `/health`: nothing else calls Collate while an installation is quiet.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from adapters.collate.answers import Ambiguous, NotSent
from adapters.collate.reader import CollateReader
from gateway.ingress.shared_reads import RecentValue
from gateway.ingress.webhooks import Read, read_report, read_webhooks
from runtime.health import Health
from schemas.api.reads import Webhooks
from schemas.enums import PartFault

CountWorkers = Callable[[], Coroutine[Any, Any, int | None]]
_HEALTH_SECONDS: Final = 2.0


class OwnParts:
    """The parts of the installation."""

    def __init__(
        self,
        health: Health,
        collate: CollateReader,
        deliverers: Sequence[str],
        count_workers: CountWorkers,
        read: Read = read_report,
    ) -> None:
        """`count_workers` returns the number of workers that run; None if it cannot be known now."""
        self._health = health
        self._collate = collate
        self._deliverers = deliverers
        self._webhooks = RecentValue(partial(read_webhooks, deliverers, read))
        self._workers = RecentValue(count_workers)
        self._is_silent = RecentValue(self._ask_collate)

    async def look(self) -> tuple[list[PartFault], Webhooks | None]:
        """Return what is wrong, in the order of PartFault, and the state of the webhooks."""
        webhooks, workers, is_silent = await asyncio.gather(
            self._webhooks.get(), self._known_workers(), self._is_silent.get()
        )
        wrong = {
            PartFault.KAFKA: self._is_kafka_away,
            PartFault.WORKER: workers == 0,
            PartFault.COLLATE: is_silent or self._collate.is_away,
            PartFault.DELIVERER: webhooks is not None and webhooks.unreachable == len(self._deliverers),
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
