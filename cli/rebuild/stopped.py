"""What a rebuild needs before it reads: no process of the group, every topic, and no open transaction."""

import asyncio
from collections.abc import Callable

from adapters.kafka.cluster import KafkaCluster
from adapters.kafka.topic_copy import Extent, extents_of
from adapters.kafka.topics import FoundTopic
from runtime.settings import KafkaSettings, WorkerSettings
from schemas.topics import Topics

# A killed worker's transaction stays open for 25 s by default.
TRANSACTIONS_WITHIN_SECONDS = 90.0
_SESSION_SLACK_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.5


class RebuildRefused(Exception):
    """The topics cannot be rebuilt now; the message names the reason and the next step."""


async def await_no_members(cluster: KafkaCluster, worker: WorkerSettings, report: Callable[[str], None]) -> None:
    """Wait until the group has no members. A stopped worker stays one until its session ends: its id is static."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + worker.session_timeout.total_seconds() + _SESSION_SLACK_SECONDS
    if members := await cluster.members_of(worker.group):
        report(f"waiting for the sessions of {members} workers to end")
    while members:
        if loop.time() > deadline:
            raise RebuildRefused(f"{members} workers of the group {worker.group} run: stop every worker")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        members = await cluster.members_of(worker.group)


async def find_all(cluster: KafkaCluster, topics: Topics) -> dict[str, FoundTopic]:
    """Return the topics by name. Raises RebuildRefused if one is missing."""
    found = await cluster.find_topics(topic.name for topic in topics)
    if missing := [topic.name for topic in topics if topic.name not in found]:
        raise RebuildRefused(
            f"{', '.join(missing)} does not exist: is GATEWAY_TOPICS__PREFIX right? `gateway topics apply` creates it"
        )
    return found


async def settled_extents(kafka: KafkaSettings, topics: Topics, partitions: int) -> dict[str, list[Extent]]:
    """Return the extents by role, once no transaction is open. `commands` has none, and may still grow."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TRANSACTIONS_WITHIN_SECONDS
    counts = {topic.name: partitions for topic in topics}
    while True:
        found = await extents_of(kafka, counts, committed=True)
        every_record = await extents_of(kafka, counts, committed=False)
        if all(found[topic.name] == every_record[topic.name] for topic in topics if topic.role != "commands"):
            return {topic.role: found[topic.name] for topic in topics}
        if loop.time() > deadline:
            raise RebuildRefused("a transaction is open, or records arrive: stop every worker, then run again")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
