"""Topics wanted against topics found: the differences as values, and what is done about each.

Pure but for `apply`. Partitions and replication are never changed: the first would tear authorizations apart, the
second is the cluster's own work.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from runtime.exits import StartupError
from runtime.settings import TopicSettings
from schemas.topics import Topic

Remedy = Literal["create", "alter", "by hand"]
_CLEANUP = "cleanup.policy"
_RETENTION = "retention.ms"
_MIN_INSYNC = "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it should be."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it is; config is None where we may not read it. `own` are the keys set on the topic itself."""

    partitions: int
    replication: int
    config: Mapping[str, str] | None
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic is not as it should be; `fatal` ones keep processes from running."""

    topic: str
    aspect: str
    wanted: str
    found: str
    remedy: Remedy
    fatal: bool

    def __str__(self) -> str:
        """Say it in a sentence, with what to do."""
        if self.remedy == "create":
            return f"topic {self.topic} does not exist (or we may not see it): `gateway topics apply` creates it"
        return f"topic {self.topic}: {self.aspect} is {self.found}, must be {self.wanted}: {self.advice}"

    @property
    def advice(self) -> str:
        """What to do about it."""
        match self.remedy, self.aspect:
            case "create", _:
                return "`gateway topics apply` creates it"
            case "alter", _:
                return "`gateway topics apply` sets it"
            case _, "partitions":
                return (
                    "never add partitions to a topic in use; set GATEWAY_TOPICS__PARTITIONS to what all five topics "
                    "have, or delete the topic while it is empty and run `gateway topics apply`"
                )
            case _, "replication":
                return (
                    "reassign its replicas with Kafka's own tool, or set GATEWAY_TOPICS__REPLICATION to what is meant"
                )
            case _:
                return "decide by hand, because a changed policy throws records away"


class TopicsWrong(StartupError):
    """The topics exist but not as they must be."""

    title = "topics"


class Cluster(Protocol):
    """What this needs of Kafka."""

    async def find_topics(self, names: Iterable[str]) -> dict[str, Found]:
        """Return those of the topics that exist."""

    async def create_topic(self, wanted: Wanted) -> None:
        """Create a topic."""

    async def alter_topic(self, name: str, config: Mapping[str, str]) -> None:
        """Set these keys of a topic's configuration and leave its others."""


def wanted_topics(topics: Iterable[Topic], settings: TopicSettings) -> tuple[Wanted, ...]:
    """Join the catalogue with what the installation decides."""
    return tuple(
        Wanted(
            name=topic.name,
            partitions=settings.partitions,
            replication=settings.replication,
            config={**topic.config, _MIN_INSYNC: str(settings.min_insync)},
        )
        for topic in topics
    )


def compare(wanted: Iterable[Wanted], found: Mapping[str, Found]) -> tuple[Difference, ...]:
    """List every difference, topic by topic."""
    return tuple(
        difference
        for topic in wanted
        for difference in (
            _differences(topic, found[topic.name])
            if topic.name in found
            else [Difference(topic.name, "topic", "present", "missing", "create", fatal=False)]
        )
    )


def _differences(wanted: Wanted, found: Found) -> list[Difference]:
    differences = []

    def add(aspect: str, want: object, have: object, remedy: Remedy, *, fatal: bool) -> None:
        differences.append(Difference(wanted.name, aspect, str(want), str(have), remedy, fatal))

    if found.partitions != wanted.partitions:
        add("partitions", wanted.partitions, found.partitions, "by hand", fatal=True)
    if found.replication != wanted.replication:
        add(
            "replication",
            wanted.replication,
            found.replication,
            "by hand",
            fatal=found.replication < wanted.replication,
        )
    for key, value in wanted.config.items() if found.config is not None else ():
        have = (found.config or {}).get(key, "unset")
        if have == value or (key == _RETENTION and _keeps_longer(have, value)):
            continue
        # More copies in sync than asked for are safe, only less available.
        too_few = key == _MIN_INSYNC and (not have.isdigit() or int(have) < int(value))
        # A changed policy throws records away, so it is a person's decision.
        policy = key == _CLEANUP
        add(key, value, have, "by hand" if policy else "alter", fatal=too_few or policy)
    return differences


def _keeps_longer(have: str, want: str) -> bool:
    return have == "-1" or (have.isdigit() and int(have) > int(want))


async def apply(cluster: Cluster, wanted: Iterable[Wanted], differences: Iterable[Difference]) -> list[Difference]:
    """Create what is missing and alter what can be altered; return what is left to do by hand."""
    by_name = {topic.name: topic for topic in wanted}
    alter: dict[str, dict[str, str]] = {}
    left = []
    for difference in differences:
        match difference.remedy:
            case "create":
                await cluster.create_topic(by_name[difference.topic])
            case "alter":
                alter.setdefault(difference.topic, {})[difference.aspect] = difference.wanted
            case "by hand":
                left.append(difference)
    for name, config in alter.items():
        await cluster.alter_topic(name, config)
    return left
