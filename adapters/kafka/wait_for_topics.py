"""Before a process works: wait for Kafka, then for its topics; say why, stay red, never crash.

Missing topics are waited for, wrong ones are refused.
"""

import asyncio
from collections.abc import Iterable

from adapters.kafka.cluster import ClusterRefused, KafkaAway, open_cluster
from adapters.kafka.topics import Difference, Found, TopicsWrong, Wanted, compare
from runtime.health import Health
from runtime.logs import Log
from runtime.settings import KafkaSettings

_KAFKA, _TOPICS = "kafka", "topics"


async def wait_for_topics(
    kafka: KafkaSettings,
    wanted: tuple[Wanted, ...],
    health: Health,
    stop: asyncio.Event,
    log: Log,
    *,
    every_seconds: float = 3.0,
) -> bool:
    """Wait until Kafka answers and every topic exists: True then, False when asked to stop before.

    Keeps the components "kafka" and "topics" of health current. Raises TopicsWrong, with every difference, where a
    topic exists in a way that would break a promise.
    """
    health.expect(_KAFKA, _TOPICS)
    while not stop.is_set():
        try:
            async with open_cluster(kafka) as cluster:
                found = await cluster.find_topics(topic.name for topic in wanted)
        except KafkaAway as away:
            health.set(_KAFKA, "waiting", str(away))
            log.warning("waiting for Kafka", reason=str(away), retry_seconds=every_seconds)
        except ClusterRefused as refused:
            health.set(_KAFKA, "ok")
            health.set(_TOPICS, "waiting", str(refused))
            log.warning("waiting for topics", reason=str(refused), retry_seconds=every_seconds)
        else:
            health.set(_KAFKA, "ok")
            if _all_there(wanted, found, health, log, every_seconds):
                return True
        await _pause(stop, every_seconds)
    return False


def _all_there(
    wanted: tuple[Wanted, ...], found: dict[str, Found], health: Health, log: Log, every_seconds: float
) -> bool:
    differences = compare(wanted, found)
    fatal = [difference for difference in differences if difference.fatal]
    missing = [difference for difference in differences if difference.remedy == "create"]
    if fatal:
        health.set(_TOPICS, "failed", _join(fatal))
        raise TopicsWrong([str(difference) for difference in fatal])
    if missing:
        names = [difference.topic for difference in missing]
        health.set(_TOPICS, "waiting", f"missing: {', '.join(names)}; create them with `gateway topics apply`")
        log.warning(
            "waiting for topics", missing=names, create_with="gateway topics apply", retry_seconds=every_seconds
        )
        return False
    for difference in differences:
        log.warning(
            "topic differs",
            topic=difference.topic,
            aspect=difference.aspect,
            wanted=difference.wanted,
            found=difference.found,
            see="gateway topics plan",
        )
    unread = [name for name, topic in found.items() if topic.config is None]
    if unread:
        log.warning("topic configuration not checked", topics=unread, reason="no permission to describe configs")
    health.set(_TOPICS, "ok")
    return True


def _join(differences: Iterable[Difference]) -> str:
    return "; ".join(str(difference) for difference in differences)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
