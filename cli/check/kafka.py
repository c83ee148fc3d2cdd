"""Checks of Kafka: address, credentials, topics and permissions. Changes nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace

from adapters.kafka.acls import AclOperation, Process, ResourceAccess, required_access
from adapters.kafka.cluster import KafkaAway, KafkaCluster, KafkaDenied, TopicRequestRejected, open_cluster
from adapters.kafka.exposure import DeadlineRefused, excess_access, names_of, problem_of_deadline, unencrypted
from adapters.kafka.group_owner import problem_of_group
from adapters.kafka.surplus_partitions import find_misplaced
from adapters.kafka.topics import Difference, FoundTopic, WantedTopic, compare, wanted_topics
from cli.all_topics import all_topics
from cli.check.check_results import CheckResult, differs, failed, ok, skipped
from cli.topic_ids import ProgressNotRead, id_differences
from runtime.exits import Exit
from runtime.settings import ClusterSettings, KafkaSettings, Settings
from schemas.topics import catalogue


async def check_kafka(settings: ClusterSettings, process: Process | None) -> AsyncIterator[CheckResult]:
    """Log in, then check the process's topics (all topics without a process) and its permissions."""
    try:
        async with open_cluster(settings.kafka) as cluster:
            needed = _needs(settings, process)
            wanted = _wanted(settings, process, needed)
            shown = await cluster.find_topics(topic.name for topic in wanted)
            found = await find_misplaced(settings.kafka, wanted, shown)
            yield ok("kafka", f"{','.join(settings.kafka.bootstrap)} by {_how(settings.kafka)}")
            if (problem := unencrypted(settings)) is not None:
                yield differs("kafka", problem)
            missing = [await cluster.missing_operations(need, [topic.name for topic in wanted]) for need in needed]
            denied = {
                need.name for need, lack in zip(needed, missing, strict=True) if lack and need.resource == "topic"
            }
            excess = [] if process is None else await excess_access(cluster, settings, process)
            of_topics = _topics(wanted, compare(wanted, found), denied, process)
            own = [result async for result in _of_a_consumer(cluster, settings, process)]
            for result in (*of_topics, *await _progress(settings, found, process), *own):
                yield result
            unread = [name for name, topic in found.items() if topic.config is None and name not in denied]
            if unread:
                yield differs(
                    "topic", f"{', '.join(unread)}: durability not checked, permission to describe configs is missing"
                )
    except KafkaDenied as denial:
        yield failed("kafka", str(denial), Exit.DENIED)
        return
    except KafkaAway as away:
        yield failed("kafka", str(away), Exit.UNAVAILABLE)
        return
    except TopicRequestRejected as refused:
        yield failed("topics", str(refused), Exit.DENIED)
        return
    if process is None:
        yield skipped("acls", "use --for to check the permissions of a process")
        return
    for result in _acls(process, needed, missing, excess):
        yield result


def _acls(
    process: Process,
    needed: tuple[ResourceAccess, ...],
    missing: list[frozenset[AclOperation]],
    excess: list[ResourceAccess],
) -> list[CheckResult]:
    lacking = [replace(need, operations=lack) for need, lack in zip(needed, missing, strict=True) if lack]
    results = [
        failed("acl", f"{lack}: {names_of(lack)} missing ({lack.why}); see `gateway topics acls`", Exit.DENIED)
        for lack in lacking
    ]
    results += [
        differs("acl", f"{access}: {names_of(access)} allowed, but {process} needs no such permission; remove it")
        for access in excess
    ]
    if not lacking:
        results.append(ok("acls", f"{process} has all its permissions: {', '.join(map(str, needed))}"))
    return results


def _needs(settings: ClusterSettings, process: Process | None) -> tuple[ResourceAccess, ...]:
    if process is None:
        return ()
    if process == "deliverer":
        group = settings.deliverer.group
    else:
        group = settings.worker.group if isinstance(settings, Settings) else ""
    return required_access(process, catalogue(settings.topics.prefix), settings.topics.prefix, group)


def _wanted(
    settings: ClusterSettings, process: Process | None, needed: tuple[ResourceAccess, ...]
) -> tuple[WantedTopic, ...]:
    forget_after = settings.watch.forget_after if isinstance(settings, Settings) else None
    wanted = wanted_topics(all_topics(settings), settings.topics, forget_after)
    if process in {None, "topics"}:
        return wanted
    own = [need for need in needed if need.resource == "topic"]
    return tuple(
        topic
        for topic in wanted
        if any(topic.name.startswith(need.name) if need.is_prefix else topic.name == need.name for need in own)
    )


def _topics(
    wanted: tuple[WantedTopic, ...], differences: tuple[Difference, ...], denied: set[str], process: Process | None
) -> list[CheckResult]:
    results = []
    for topic in wanted:
        own = [difference for difference in differences if difference.topic == topic.name]
        for difference in own:
            # A topic without the permission to describe it looks missing; the permission has its own line.
            if difference.remedy == "create" and topic.name in denied:
                results.append(skipped("topic", f"{topic.name}: permission to describe it is missing"))
            elif difference.fatal or (difference.remedy == "create" and process != "topics"):
                results.append(failed("topic", str(difference), Exit.CONFIG))
            else:
                results.append(differs("topic", str(difference)))
        if not own:
            results.append(ok("topic", topic.name))
    return results


async def _progress(
    settings: ClusterSettings, found: dict[str, FoundTopic], process: Process | None
) -> list[CheckResult]:
    if process not in {None, "worker"}:
        return []
    try:
        differences = await id_differences(settings.kafka, catalogue(settings.topics.prefix), found)
    except ProgressNotRead as unread:
        return [skipped("progress", str(unread))]
    return [failed("progress", str(difference), Exit.CONFIG) for difference in differences]


async def _of_a_consumer(
    cluster: KafkaCluster, settings: ClusterSettings, process: Process | None
) -> AsyncIterator[CheckResult]:
    if process == "worker" and isinstance(settings, Settings):
        problem = await problem_of_group(cluster, settings)
        yield ok("group", settings.worker.group) if problem is None else failed("group", problem, Exit.CONFIG)
    if process in {"worker", "deliverer"}:
        try:
            unread = await problem_of_deadline(cluster, settings.kafka)
            yield ok("deadline", "longer than a broker's session") if unread is None else differs("deadline", unread)
        except DeadlineRefused as refused:
            yield failed("deadline", refused.problems[0], Exit.CONFIG)


def _how(kafka: KafkaSettings) -> str:
    if not kafka.security.startswith("SASL"):
        return kafka.security + (" with a client certificate" if kafka.certificate_file else "")
    if kafka.mechanism == "OAUTHBEARER":
        return f"{kafka.security} with a bearer token"
    return f"{kafka.security} as {kafka.username}"
