"""Records in partitions that somebody added to a topic: the gateway reads and writes the first ones alone."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from adapters.kafka.topic_copy import extents_of
from adapters.kafka.topics import FoundTopic, WantedTopic
from runtime.settings import KafkaSettings


async def find_misplaced(
    kafka: KafkaSettings, wanted: Iterable[WantedTopic], found: Mapping[str, FoundTopic]
) -> dict[str, FoundTopic]:
    """Return the topics with the place of the first record beyond the wanted partitions. Raises KafkaFailure."""
    topics = dict(found)
    grown = {
        topic.name: topic
        for topic in wanted
        if topic.name in topics and topics[topic.name].partitions > topic.partitions
    }
    if not grown:
        return topics
    counts = {name: topics[name].partitions for name in grown}
    for name, extents in (await extents_of(kafka, counts, committed=False)).items():
        surplus = list(enumerate(extents))[grown[name].partitions :]
        misplaced = next(((number, extent.begin) for number, extent in surplus if extent.begin < extent.end), None)
        topics[name] = replace(topics[name], misplaced=misplaced)
    return topics
