"""The first step of every process: wait for Kafka and for its topics, and report the reason in health and log.

Missing topics are awaited; wrong topics end the process.
"""

import asyncio
from collections.abc import Iterable

from adapters.kafka.cluster import KafkaAway, TopicRequestRejected, open_cluster
from adapters.kafka.surplus_partitions import find_misplaced
from adapters.kafka.topics import Difference, FoundTopic, TopicsWrong, WantedTopic, compare
from runtime.health import Health
from runtime.logs import Log
from runtime.metrics import ProcessMetrics
from runtime.settings import KafkaSettings

_KAFKA, _TOPICS = "kafka", "topics"


async def wait_for_topics(
    kafka: KafkaSettings,
    wanted: tuple[WantedTopic, ...],
    health: Health,
    stop: asyncio.Event,
    log: Log,
    *,
    metrics: ProcessMetrics | None = None,
    every_seconds: float = 3.0,
) -> bool:
    """Wait until Kafka responds and every topic exists; return False if `stop` is set first.

    Updates the health components "kafka" and "topics", and the gauges of Kafka. Raises TopicsWrong, with all fatal
    differences, if an existing topic would break a promise.
    """

    def show(problem: str | None) -> None:
        health.set(_KAFKA, "ok" if problem is None else "waiting", problem or "")
        if metrics is not None:
            metrics.kafka_away.set(problem is not None)

    health.expect(_KAFKA, _TOPICS)
    while not stop.is_set():
        try:
            async with open_cluster(kafka) as cluster:
                found = await find_misplaced(kafka, wanted, await cluster.find_topics(topic.name for topic in wanted))
        except KafkaAway as away:
            show(str(away))
            log.warning("kafka.broker_waiting", reason=str(away), retry_seconds=every_seconds)
        except TopicRequestRejected as rejected:
            show(None)
            health.set(_TOPICS, "waiting", str(rejected))
            log.warning("kafka.topics_waiting", reason=str(rejected), retry_seconds=every_seconds)
        else:
            show(None)
            if _all_present(wanted, found, health, log, every_seconds):
                if metrics is not None:
                    surplus = max(found[topic.name].partitions - topic.partitions for topic in wanted)
                    metrics.surplus_partitions.set(surplus)
                return True
        await _pause(stop, every_seconds)
    return False


def _all_present(
    wanted: tuple[WantedTopic, ...], found: dict[str, FoundTopic], health: Health, log: Log, every_seconds: float
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
            "kafka.topics_waiting", missing=names, create_with="gateway topics apply", retry_seconds=every_seconds
        )
        return False
    for difference in differences:
        log.warning(
            "kafka.topic_mismatched",
            topic=difference.topic,
            aspect=difference.aspect,
            wanted=difference.wanted,
            found=difference.found,
            advice=difference.advice,
            see="gateway check",
        )
    unread = [name for name, topic in found.items() if topic.config is None]
    if unread:
        log.warning("kafka.topic_config_skipped", topics=unread, reason="no permission to describe configs")
    health.set(_TOPICS, "ok")
    return True


def _join(differences: Iterable[Difference]) -> str:
    return "; ".join(str(difference) for difference in differences)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
