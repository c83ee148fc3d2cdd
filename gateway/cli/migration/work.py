"""The work of `gateway topics migrate`: the checks before it, the new topics, and the migration."""

from collections.abc import Callable

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, compare_when_visible, wanted_topics
from offline.migration.migrate import Migrated, Migration
from offline.stopped import OfflineRefused, await_no_members, find_all
from runtime.settings import AccessSettings
from schemas.topics import catalogue


async def migrate_topics(settings: AccessSettings, to: str, partitions: int, report: Callable[[str], None]) -> Migrated:
    """Create the new topics and move the records. Raises OfflineRefused, and as Kafka's clients do."""
    source, target = catalogue(settings.topics.prefix), catalogue(to)
    changed = {"partitions": partitions}
    wanted = wanted_topics(target, settings.topics.model_copy(update=changed))
    async with open_cluster(settings.kafka) as cluster:
        await await_no_members(cluster, settings.worker, report)
        found = await find_all(cluster, source)
        await apply(cluster, wanted, compare(wanted, await cluster.find_topics(topic.name for topic in wanted)))
        created, left = await compare_when_visible(cluster, wanted)
        if left:
            raise OfflineRefused(f"{left[0]}; or choose another prefix with --to")
    target_id = created[target.commands.name].id
    source_id = found[source.commands.name].id
    counts = {topic.role: found[topic.name].partitions for topic in source}
    migration = Migration(settings.kafka, source, target, counts, partitions, source_id=source_id, target_id=target_id)
    return await migration.run(report)
