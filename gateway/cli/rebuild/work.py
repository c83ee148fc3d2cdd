"""The work of `gateway topics rebuild-state`: the checks before it, and the rebuild."""

import asyncio
import time
from collections.abc import Callable, Collection

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.cluster import KafkaAway, KafkaCluster, open_cluster
from consumers.engine.core.progress import GroupCopy
from consumers.worker import read_digest_key
from offline.rebuild.partition import RebuildInput
from offline.rebuild.rebuild import Rebuild, RebuildRefused, Rebuilt
from runtime.credentials.phi_keys import phi_keys
from runtime.settings import AccessSettings
from schemas.topics import catalogue

_SESSION_SLACK_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.5


async def rebuild(
    settings: AccessSettings, authorization: str | None, again: Collection[int], report: Callable[[str], None]
) -> Rebuilt | None:
    """Rebuild all lost partitions, or one authorization; None: no topic knows it.

    Raises RebuildRefused, RecordUnreadable, DigestKeyRefused and KafkaAway.
    """
    digest_key, keys = read_digest_key(settings.worker), phi_keys(settings.topics)
    topics, group = catalogue(settings.topics.prefix), settings.worker.group
    async with open_cluster(settings.kafka) as cluster:
        await _await_no_members(cluster, group, settings.worker.session_timeout.total_seconds(), report)
        found = await cluster.find_topics(topic.name for topic in topics)
        if missing := [topic.name for topic in topics if topic.name not in found]:
            raise RebuildRefused(
                f"{', '.join(missing)} does not exist: run `gateway topics apply`, or mend GATEWAY_TOPICS__PREFIX"
            )
        counts = {one.partitions for one in found.values()}
        if len(counts) > 1:
            raise RebuildRefused("the topics have different numbers of partitions: see `gateway topics plan`")
        partitions = counts.pop()
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
    work = Rebuild(known, partitions)
    try:
        if authorization is None:
            return await work.run(again, report)
        is_found = await work.run_one(authorization)
    except KafkaFailure as failed:
        raise KafkaAway(f"{','.join(settings.kafka.bootstrap)}: {type(failed).__name__} {failed}") from failed
    return Rebuilt((), (), 1, 0, 0) if is_found else None


async def _await_no_members(
    cluster: KafkaCluster, group: str, session_seconds: float, report: Callable[[str], None]
) -> None:
    """Wait until the group has no members. A stopped worker stays one until its session ends: its id is static."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + session_seconds + _SESSION_SLACK_SECONDS
    if members := await cluster.members_of(group):
        report(f"waiting for the sessions of {members} workers to end")
    while members:
        if loop.time() > deadline:
            raise RebuildRefused(f"{members} workers of the group {group} run: stop every worker")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        members = await cluster.members_of(group)
