"""A running subscription: its own engine, group, state topic, connections and gate.

Subscriptions share only the event loop, so a slow or dead receiver delays no other.
"""

import asyncio
import random
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry

from adapters.kafka.clients import KafkaFailure, connection, sentence_of
from adapters.kafka.topics import TopicsWrong, wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from adapters.webhooks.resolver import Resolver
from adapters.webhooks.transport import WebhookTransport
from consumers.deliverer.delivery import Outcome, WebhookMessage, deliver
from consumers.deliverer.gate import DeliveryWait, Gate
from consumers.deliverer.handler import DeliveryHandler
from consumers.deliverer.numbers import SubscriptionNumbers
from consumers.deliverer.stored_stop import StoredStop, read_stop, url_digest, write_stop
from consumers.deliverer.subscription import Subscription, turn_of
from consumers.engine.core.limits import InvocationLimits
from consumers.engine.engine import Engine
from consumers.engine.settings import EngineSettings
from runtime.health import Health
from runtime.logs import Log
from runtime.metrics import DelivererMetrics, Metrics
from runtime.settings import DelivererProcessSettings
from schemas.topics import SubscriptionTopics, catalogue, subscription_topics

# No caller waits for a commit: a longer pause means fewer transactions, and more repeated deliveries after a crash.
_COMMIT_PAUSE_SECONDS: Final = 0.2
_INVOCATION_SECONDS: Final = 180.0
_READ_AHEAD: Final = 500  # undelivered events of a partition
_READ_AHEAD_BYTES: Final = 4 << 20
_STATE_BYTES: Final = 4 << 10
_STORE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0


class SubscriptionEngine:
    """Delivers to one receiver until `stop` is called. `change` gives it a new version of the subscription."""

    def __init__(
        self,
        subscription: Subscription,
        settings: DelivererProcessSettings,
        metrics: DelivererMetrics,
        log: Log,
    ) -> None:
        self._settings = settings
        self._log = log
        self._stop = asyncio.Event()
        self._transport = self._connect(subscription)
        self._retiring: set[asyncio.Task[None]] = set()
        self.topics = subscription_topics(settings.topics.prefix, subscription.name)
        self.numbers = SubscriptionNumbers(metrics, subscription.name)
        self.handler = DeliveryHandler(
            subscription,
            self._deliver,
            Gate(random.random),
            self.numbers,
            self.topics.dead_letters.name,
            random.random,
            self._store_stop,
        )
        self._stored_stop = StoredStop(partial(write_stop, settings.kafka, self.topics.state.name), log)
        self.health = Health()
        # The engine's own metrics have no label for the subscription; `numbers` has what operators need.
        hidden = Metrics(CollectorRegistry()).engine
        self.engine = Engine(engine_settings(settings, subscription, self.topics), self.handler, hidden)
        self.has_topics = False
        self.problem: str | None = None  # why this subscription is stopped until the process starts again

    @property
    def subscription(self) -> Subscription:
        """The version of the subscription that is in force."""
        return self.handler.subscription

    def change(self, subscription: Subscription) -> None:
        """Use a new version from the next request on. Another URL is another receiver: the gate opens."""
        before, self.handler.subscription = self.handler.subscription, subscription
        if subscription.connection_key != before.connection_key:
            retired, self._transport = self._transport, self._connect(subscription)
            task = asyncio.create_task(_retire(retired, before.timeout_seconds + 1.0))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        if subscription.target != before.target:
            self.handler.gate.resume()
            self._stored_stop.request(None)

    async def resume(self) -> bool:
        """Open the gate for every key. Return whether Kafka has stored that no earlier 410 stops a later start."""
        self.handler.gate.resume()
        return await self._stored_stop.store(None, _STORE_SECONDS)

    def stop(self) -> None:
        """Let `run` finish the requests in flight and return."""
        self._stop.set()

    async def run(self) -> None:
        """Wait for the subscription's topics, then deliver. Raises PartitionCountChanged.

        If topics of a subscription are wrong, only this subscription stops, until the process starts again.
        """
        wanted = wanted_topics(self.topics, self._settings.topics)
        try:
            if await wait_for_topics(self._settings.kafka, wanted, self.health, self._stop, self._log):
                await self._read_stop()
                self.has_topics = True
                await self._run_engine()
        except TopicsWrong as wrong:
            self.problem = "; ".join(wrong.problems)
            self._log.error("deliverer.topics_wrong", subscription=self.subscription.name, problems=wrong.problems)
            await self._stop.wait()
        finally:
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            await self._transport.aclose()
            self.numbers.forget()

    async def _read_stop(self) -> None:
        """Stop the gate if a 410 of the URL is stored; a stop of another URL ends."""
        while not self._stop.is_set():
            try:
                digest = await read_stop(self._settings.kafka, self.topics.state.name)
            except KafkaFailure as error:
                self.health.set("kafka", "waiting", sentence_of(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if digest is None or self.handler.gate.resumes:
                return
            if digest == url_digest(self.subscription.target):
                self.handler.gate.stop()
            else:
                self._stored_stop.request(None)
            return

    async def _run_engine(self) -> None:
        keeping = asyncio.create_task(self._stored_stop.keep())
        keeping.add_done_callback(lambda _: self._stop.set())
        try:
            await self.engine.run(self._stop)
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            if not keeping.cancelled():
                keeping.result()

    async def _store_stop(self) -> bool:
        return await self._stored_stop.store(url_digest(self.subscription.target), _STORE_SECONDS)

    def _connect(self, subscription: Subscription) -> WebhookTransport:
        return WebhookTransport(
            subscription.target,
            subscription.limits,
            subscription.policy,
            ca_file=subscription.ca_file,
            resolver=Resolver(),
        )

    async def _deliver(self, message: WebhookMessage, now: float) -> Outcome:
        return await deliver(self._transport, message, self.subscription.secrets, now)


async def _retire(transport: WebhookTransport, seconds: float) -> None:
    """Close the transport after its last request."""
    try:
        await asyncio.sleep(seconds)
    finally:
        await transport.aclose()


def group_of(settings: DelivererProcessSettings, subscription: str) -> str:
    """Return the consumer group of a subscription."""
    return f"{settings.deliverer.group}.{subscription}"


def engine_settings(
    settings: DelivererProcessSettings, subscription: Subscription, topics: SubscriptionTopics
) -> EngineSettings:
    """Return the settings of a subscription's engine."""
    own = settings.deliverer
    return EngineSettings(
        topic=catalogue(settings.topics.prefix).events.name,
        state_topic=topics.state.name,
        outputs=(topics.dead_letters.name,),
        partitions=settings.topics.partitions,
        group=group_of(settings, subscription.name),
        member=own.instance,
        client=partial(connection, settings.kafka),
        client_rack=settings.kafka.client_rack,
        wait_reasons=tuple(DeliveryWait),
        concurrency=subscription.max_in_flight,
        read_ahead_records=_READ_AHEAD,
        read_ahead_bytes=_READ_AHEAD_BYTES,
        commit_pause_seconds=_COMMIT_PAUSE_SECONDS,
        transaction_timeout_seconds=settings.kafka.transaction_timeout.total_seconds(),
        transaction_seconds=settings.kafka.transaction_deadline.total_seconds(),
        drain_seconds=own.stop_deadline.total_seconds(),
        limits=InvocationLimits(timeout_seconds=_INVOCATION_SECONDS, state_bytes=_STATE_BYTES),
        turn_of=turn_of,
    )
