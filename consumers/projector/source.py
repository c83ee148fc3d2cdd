"""A reader of the three topics from which the read model is built. Its keys are those of the `progress` table."""

from contextlib import AbstractAsyncContextManager

from adapters.kafka.topic_reader import TopicReader, open_reader
from adapters.postgres.store import PartitionKey
from consumers.projector.parsing import TOPICS
from runtime.settings import KafkaSettings
from schemas.topics import Topics

CALL_SECONDS = 15.0


def open_source(
    kafka: KafkaSettings, topics: Topics, partitions: int
) -> AbstractAsyncContextManager[TopicReader[PartitionKey]]:
    """Start a reader of all partitions; seek before reading."""
    keys = {(role, number): (getattr(topics, role).name, number) for role in TOPICS for number in range(partitions)}
    return open_reader(kafka, keys, call_seconds=CALL_SECONDS)
