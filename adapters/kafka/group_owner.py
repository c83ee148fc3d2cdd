"""The check that a consumer group is used by one installation alone.

Two installations with one group name would move each other's partitions, and workers with the same instance name would
fence each other without end.
"""

from adapters.kafka.cluster import KafkaAway, KafkaCluster, open_cluster
from runtime.logs import Log
from runtime.settings import Settings
from schemas.topics import catalogue


async def problem_of_group(cluster: KafkaCluster, settings: Settings) -> str | None:
    """Return what is wrong if members of the worker's group read another topic; None if the group is free or ours."""
    group, topic = settings.worker.group, catalogue(settings.topics.prefix).commands.name
    others = sorted(await cluster.topics_of(group) - {topic})
    if not others:
        return None
    return (
        f"members of {group} read {', '.join(others)}, not {topic}: another installation uses this group; "
        "give each its own GATEWAY_WORKER__GROUP"
    )


async def find_group_problem(settings: Settings, log: Log) -> str | None:
    """Look at the group before the worker joins it. A Kafka that does not respond is the engine's concern."""
    try:
        async with open_cluster(settings.kafka) as cluster:
            return await problem_of_group(cluster, settings)
    except KafkaAway as away:
        log.warning("kafka.group_unchecked", group=settings.worker.group, reason=str(away))
        return None
