"""Kafka producers for the publisher, which bounds every call."""

from typing import Any

from adapters.kafka.clients import bounded_stop, idempotent_producer
from adapters.kafka.topic_metadata import fetch_topic_ids
from runtime.settings import KafkaSettings


class Producers:
    """Starts, probes and stops producers for one topic."""

    def __init__(self, kafka: KafkaSettings, topic: str, *, linger_seconds: float) -> None:
        self._kafka = kafka
        self._topic = topic
        self._linger_seconds = linger_seconds

    async def connect(self) -> Any:
        """Start a producer that knows the topic's leaders; wait for the topic if it is missing."""
        producer = idempotent_producer(self._kafka, linger_seconds=self._linger_seconds)
        try:
            await producer.start()
            await producer.partitions_for(self._topic)
        except BaseException:
            await bounded_stop(producer)
            raise
        return producer

    async def probe(self, producer: Any) -> None:
        """Fetch the topic's leaders from a broker, which also keeps them current; raise if no broker answers."""
        if not await producer.client.force_metadata_update():
            raise ConnectionError("no broker answered")

    async def topic_id(self, producer: Any) -> str:
        """Return the topic's id: a topic that is created again has another one."""
        return (await fetch_topic_ids(producer, [self._topic]))[self._topic]

    async def drop(self, producer: Any) -> None:
        """Stop a producer within a bound."""
        await bounded_stop(producer)
