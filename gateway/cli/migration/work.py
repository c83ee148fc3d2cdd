"""The work of `gateway topics migrate`: the checks before it, the new topics, and the migration."""

import asyncio
from collections.abc import Callable

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.cluster import KafkaAway, KafkaCluster, open_cluster
from adapters.kafka.topics import FoundTopic, WantedTopic, apply, compare, wanted_topics
from offline.migration.migrate import Migrated, Migration, MigrationRefused
from runtime.settings import AccessSettings
from schemas.topics import catalogue

_VISIBLE_WITHIN_SECONDS = 15.0


async def migrate_topics(settings: AccessSettings, to: str, partitions: int, report: Callable[[str], None]) -> Migrated:
    """Create the new topics and move the records. Raises MigrationRefused, KafkaAway and TopicRequestRejected."""
    source, target = catalogue(settings.topics.prefix), catalogue(to)
    changed = {"partitions": partitions}
    wanted = wanted_topics(target, settings.topics.model_copy(update=changed))
    async with open_cluster(settings.kafka) as cluster:
        if members := await cluster.members_of(settings.worker.group):
            raise MigrationRefused(f"{members} workers of the group {settings.worker.group} run: stop every process")
        found = await cluster.find_topics(topic.name for topic in source)
        if missing := [topic.name for topic in source if topic.name not in found]:
            raise MigrationRefused(f"{', '.join(missing)} does not exist: is GATEWAY_TOPICS__PREFIX right?")
        target_id = (await _create(cluster, wanted))[target.commands.name].id
    source_id = found[source.commands.name].id
    counts = {topic.role: found[topic.name].partitions for topic in source}
    try:
        migration = Migration(
            settings.kafka, source, target, counts, partitions, source_id=source_id, target_id=target_id
        )
        return await migration.run(report)
    except KafkaFailure as failed:
        raise KafkaAway(f"{','.join(settings.kafka.bootstrap)}: {type(failed).__name__} {failed}") from failed


async def _create(cluster: KafkaCluster, wanted: tuple[WantedTopic, ...]) -> dict[str, FoundTopic]:
    """Create the topics, and return them once they are visible."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _VISIBLE_WITHIN_SECONDS
    await apply(cluster, wanted, compare(wanted, await cluster.find_topics(topic.name for topic in wanted)))
    while left := compare(wanted, found := await cluster.find_topics(topic.name for topic in wanted)):
        if loop.time() > deadline or all(difference.remedy == "by hand" for difference in left):
            raise MigrationRefused(f"{left[0]}; or choose another prefix with --to")
        await asyncio.sleep(0.1)
    return found
