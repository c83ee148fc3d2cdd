"""Wanted and found topics: the differences as values, with a remedy each.

Pure except the last two functions. `apply` never changes partitions, because that would spread an authorization over
two partitions. It never changes replication, which is the cluster's task.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from runtime.exits import StartupError
from runtime.settings import TopicSettings
from schemas.topics import Topic

Remedy = Literal["create", "alter", "by hand"]
_CLEANUP = "cleanup.policy"
_RETENTION = "retention.ms"
_MIN_INSYNC = "min.insync.replicas"
_VISIBLE_WITHIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """The required properties of a topic. `most_retention_ms` is the longest retention; None without one."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    most_retention_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """The properties of an existing topic. `config` is None without permission; `own` are the keys set on the topic.

    `misplaced`: partition and offset of the first record in a partition that the gateway does not use.
    """

    partitions: int
    replication: int
    config: Mapping[str, str] | None
    own: frozenset[str] = frozenset()
    id: str = ""
    misplaced: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One wrong property of a topic. A `fatal` difference stops every process at its start."""

    topic: str
    aspect: str
    wanted: str
    found: str
    remedy: Remedy
    fatal: bool

    def __str__(self) -> str:
        """Return the difference and its remedy as a sentence."""
        if self.remedy == "create":
            return f"topic {self.topic} does not exist or is not visible to us: `gateway topics apply` creates it"
        return f"topic {self.topic}: {self.aspect} is {self.found}, must be {self.wanted}: {self.advice}"

    @property
    def advice(self) -> str:
        """The remedy as a clause."""
        match self.remedy, self.aspect:
            case "create", _:
                return "`gateway topics apply` creates it"
            case "alter", _:
                return "`gateway topics apply` sets it"
            case _, "partitions" if int(self.found) > int(self.wanted):
                return "Kafka cannot remove partitions; the gateway uses the first ones and leaves the others empty"
            case _, "partitions":
                return (
                    "set GATEWAY_TOPICS__PARTITIONS to the count of all five topics, or delete the topic while it is "
                    "empty and run `gateway topics apply`"
                )
            case _, "first record of a surplus partition":
                return "another program wrote it; see docs/operations.md#partitions-were-added"
            case _, "id":
                return (
                    "the topic was deleted and created again, and the worker stops these partitions; see "
                    "docs/operations.md#the-topic-was-created-again"
                )
            case _, "retention.ms":
                return (
                    "shorten it, or raise GATEWAY_WATCH__FORGET_AFTER: the events of a forgotten authorization are "
                    "numbered from 1 again while its first events can still be read"
                )
            case _, "replication":
                return "reassign its replicas with Kafka's tool, or correct GATEWAY_TOPICS__REPLICATION"
            case _:
                return "change it by hand, because another policy deletes records"


class TopicsWrong(StartupError):
    """Existing topics have fatal differences."""

    title = "topics"


class TopicAdmin(Protocol):
    """The requests that `apply` needs."""

    async def find_topics(self, names: Iterable[str]) -> dict[str, FoundTopic]:
        """Return the topics that exist."""

    async def create_topic(self, wanted: WantedTopic) -> None:
        """Create a topic."""

    async def alter_topic(self, name: str, config: Mapping[str, str]) -> None:
        """Set these keys of a topic's configuration and keep its other keys."""


def wanted_topics(
    topics: Iterable[Topic], settings: TopicSettings, forget_after: timedelta | None = None
) -> tuple[WantedTopic, ...]:
    """Combine the catalogue with the settings of the installation. `forget_after` is the longest life of an event."""
    most_ms = None if forget_after is None else forget_after // timedelta(milliseconds=1)
    return tuple(
        WantedTopic(
            name=topic.name,
            partitions=settings.partitions,
            replication=settings.replication,
            config={**topic.config, _MIN_INSYNC: str(settings.min_insync)},
            most_retention_ms=most_ms if topic.role == "events" else None,
        )
        for topic in topics
    )


def compare(wanted: Iterable[WantedTopic], found: Mapping[str, FoundTopic]) -> tuple[Difference, ...]:
    """List all differences, topic by topic."""
    return tuple(
        difference
        for topic in wanted
        for difference in (
            _differences(topic, found[topic.name])
            if topic.name in found
            else [Difference(topic.name, "topic", "present", "missing", "create", fatal=False)]
        )
    )


def _differences(wanted: WantedTopic, found: FoundTopic) -> list[Difference]:
    differences = []

    def add(aspect: str, want: object, have: object, remedy: Remedy, *, fatal: bool) -> None:
        differences.append(Difference(wanted.name, aspect, str(want), str(have), remedy, fatal))

    if found.partitions != wanted.partitions:
        is_short = found.partitions < wanted.partitions
        add("partitions", wanted.partitions, found.partitions, "by hand", fatal=is_short)
    if found.misplaced is not None:
        place = "partition {} at offset {}".format(*found.misplaced)
        add("first record of a surplus partition", "absent", place, "by hand", fatal=True)
    if found.replication != wanted.replication:
        add(
            "replication",
            wanted.replication,
            found.replication,
            "by hand",
            fatal=found.replication < wanted.replication,
        )
    most, kept = wanted.most_retention_ms, (found.config or {}).get(_RETENTION, "")
    if most is not None and _keeps_longer(kept, str(most)):
        # Subscribers accept a number that begins again (docs/subscribing.md), so no process has to stop.
        add(_RETENTION, f"{most} or less", kept, "by hand", fatal=False)
    for key, value in wanted.config.items() if found.config is not None else ():
        have = (found.config or {}).get(key, "unset")
        if have == value or (key == _RETENTION and _keeps_longer(have, value)):
            continue
        # More in-sync replicas than wanted are safe, only less available.
        too_few = key == _MIN_INSYNC and (not have.isdigit() or int(have) < int(value))
        # Another policy deletes records, so a person must decide.
        policy = key == _CLEANUP
        add(key, value, have, "by hand" if policy else "alter", fatal=too_few or policy)
    return differences


def _keeps_longer(have: str, want: str) -> bool:
    return have == "-1" or (have.isdigit() and int(have) > int(want))


async def compare_when_visible(
    admin: TopicAdmin, wanted: Sequence[WantedTopic]
) -> tuple[dict[str, FoundTopic], tuple[Difference, ...]]:
    """Return the topics and their differences once changes are visible: another broker may show them with a delay."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _VISIBLE_WITHIN_SECONDS
    while True:
        found = await admin.find_topics(topic.name for topic in wanted)
        left = compare(wanted, found)
        if all(difference.remedy == "by hand" for difference in left) or loop.time() > deadline:
            return found, left
        await asyncio.sleep(0.1)


async def apply(
    admin: TopicAdmin, wanted: Iterable[WantedTopic], differences: Iterable[Difference]
) -> list[Difference]:
    """Create missing topics and alter configurations; return the differences that need a person."""
    by_name = {topic.name: topic for topic in wanted}
    alter: dict[str, dict[str, str]] = {}
    by_hand = []
    for difference in differences:
        match difference.remedy:
            case "create":
                await admin.create_topic(by_name[difference.topic])
            case "alter":
                alter.setdefault(difference.topic, {})[difference.aspect] = difference.wanted
            case "by hand":
                by_hand.append(difference)
    for name, config in alter.items():
        await admin.alter_topic(name, config)
    return by_hand
