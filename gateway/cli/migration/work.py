"""The work of `gateway topics migrate`: the checks before it, the new topics, and the migration."""

from collections.abc import Callable

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.cluster import KafkaAway, open_cluster
from adapters.kafka.topics import apply, compare, compare_when_visible, wanted_topics
from offline.migration.migrate import Migrated, Migration, MigrationRefused
from runtime.settings import AccessSettings
from schemas.topics import catalogue


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
        await apply(cluster, wanted, compare(wanted, await cluster.find_topics(topic.name for topic in wanted)))
        created, left = await compare_when_visible(cluster, wanted)
        if left:
            raise MigrationRefused(f"{left[0]}; or choose another prefix with --to")
    target_id = created[target.commands.name].id
    source_id = found[source.commands.name].id
    counts = {topic.role: found[topic.name].partitions for topic in source}
    try:
        migration = Migration(
            settings.kafka, source, target, counts, partitions, source_id=source_id, target_id=target_id
        )
        return await migration.run(report)
    except KafkaFailure as failed:
        raise KafkaAway(f"{','.join(settings.kafka.bootstrap)}: {type(failed).__name__} {failed}") from failed
