"""The work of `gateway topics rebuild-state`: the checks before it, and the rebuild."""

import time
from collections.abc import Callable, Collection

from adapters.kafka.cluster import open_cluster
from cli.rebuild.partition import RebuildInput
from cli.rebuild.rebuild import Rebuild, Rebuilt
from cli.rebuild.stopped import RebuildRefused, await_no_members, find_all
from consumers.engine.core.progress import GroupCopy
from runtime.credentials.digest_key import read_digest_key
from runtime.credentials.phi_keys import phi_keys
from runtime.settings import AccessSettings
from schemas.topics import catalogue


async def rebuild(
    settings: AccessSettings, authorization: str | None, again: Collection[int], report: Callable[[str], None]
) -> Rebuilt | None:
    """Rebuild all lost partitions, or one authorization; None: no topic knows it.

    Raises RebuildRefused and DigestKeyRefused, and as Kafka's clients do.
    """
    digest_key, keys = read_digest_key(settings.worker), phi_keys(settings.topics)
    topics, group = catalogue(settings.topics.prefix), settings.worker.group
    async with open_cluster(settings.kafka) as cluster:
        await await_no_members(cluster, settings.worker, report)
        found = await find_all(cluster, topics)
        partitions = settings.topics.partitions
        if any(description.partitions < partitions for description in found.values()):
            raise RebuildRefused("a topic has too few partitions: see `gateway topics plan`")
        topic_id = found[topics.commands.name].id
        committed = await cluster.committed_offsets(group, topics.commands.name, partitions)
    copies = {number: GroupCopy(*one) for number, one in committed.items()}
    known = RebuildInput(
        kafka=settings.kafka,
        topics=topics,
        extents={},
        copies={number: copy.offset for number, copy in copies.items() if copy.is_of(topic_id)},
        topic_id=topic_id,
        digest_key=digest_key,
        keys=keys,
        watch_seconds=settings.worker.watch_max_age.total_seconds(),
        now=time.time(),
    )
    work = Rebuild(known, partitions, group)
    if authorization is None:
        return await work.run(again, report)
    return Rebuilt((), (), 1, 0, 0) if await work.run_one(authorization) else None
