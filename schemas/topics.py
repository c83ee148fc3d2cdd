"""The five topics: names, retention, writers, and the partition of a key.

These values are part of the contract; each process checks them at start. Replication, partition count and
min.insync.replicas are settings of the installation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

Writer = Literal["ingress", "worker", "deliverer"]
EVENT_DAYS = 30
DEAD_LETTER_DAYS = 30
_DAY_MS = 24 * 60 * 60 * 1000
_MIB = 1024 * 1024
# A broker maps both indexes of each segment into memory. With Kafka's 10 MiB each first write took milliseconds, so new
# partitions stalled (docs/kafka-notes.md). A full index closes its segment: here not before 85 MiB.
_INDEX = {"segment.index.bytes": str(_MIB // 4)}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. The key of each record is the authorization id."""

    name: str
    role: str
    purpose: str
    writer: Writer
    config: Mapping[str, str]

    @property
    def is_compacted(self) -> bool:
        """Whether Kafka keeps the latest record of each key without a time limit."""
        return self.config["cleanup.policy"] == "compact"


@dataclass(frozen=True, slots=True)
class Topics:
    """The five topics with one prefix."""

    commands: Topic
    events: Topic
    authorizations: Topic
    state: Topic
    dead_letters: Topic

    def __iter__(self) -> Iterator[Topic]:
        """Iterate over the topics in the order in which a command reaches them."""
        yield from (self.commands, self.events, self.authorizations, self.state, self.dead_letters)


@dataclass(frozen=True, slots=True)
class SubscriptionTopics:
    """The two topics of a webhook subscription, with as many partitions as `events`."""

    state: Topic
    dead_letters: Topic

    def __iter__(self) -> Iterator[Topic]:
        """Iterate over the topics."""
        yield from (self.state, self.dead_letters)


def subscription_prefix(prefix: str) -> str:
    """Return how the names of all topics of webhook subscriptions begin."""
    return f"{prefix}deliverer."


def subscription_topics(prefix: str, subscription: str) -> SubscriptionTopics:
    """Return the topics of a webhook subscription."""
    own = f"{subscription_prefix(prefix)}{subscription}."
    return SubscriptionTopics(
        state=Topic(f"{own}state", "state", "The deliverer's progress and undelivered events.", "deliverer", _latest()),
        dead_letters=Topic(
            f"{own}dead-letters",
            "dead_letters",
            "Events that could not be delivered.",
            "deliverer",
            _retained(DEAD_LETTER_DAYS),
        ),
    )


def catalogue(prefix: str) -> Topics:
    """Return the topics whose names begin with `prefix`."""
    return Topics(
        commands=Topic(f"{prefix}commands", "commands", "The commands, in order.", "ingress", _retained(days=7)),
        events=Topic(
            f"{prefix}events", "events", "The events, numbered per authorization.", "worker", _retained(EVENT_DAYS)
        ),
        authorizations=Topic(
            f"{prefix}authorizations",
            "authorizations",
            "The latest public state of each authorization.",
            "worker",
            _latest(),
        ),
        state=Topic(f"{prefix}state", "state", "The worker's private state, with its intents.", "worker", _latest()),
        dead_letters=Topic(
            f"{prefix}dead-letters",
            "dead_letters",
            "Commands that wait for an operator.",
            "worker",
            _retained(DEAD_LETTER_DAYS),
        ),
    )


def _retained(days: int) -> Mapping[str, str]:
    return MappingProxyType({"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS), **_INDEX})


def _latest() -> Mapping[str, str]:
    # Compaction reads closed segments only. Small segments and a bounded lag keep the restore time bounded.
    return MappingProxyType(
        {
            "cleanup.policy": "compact",
            "segment.bytes": str(16 * _MIB),
            "segment.ms": str(60 * 60 * 1000),
            "min.cleanable.dirty.ratio": "0.1",
            "max.compaction.lag.ms": str(6 * 60 * 60 * 1000),
            "delete.retention.ms": str(_DAY_MS),
            **_INDEX,
        }
    )


@lru_cache(maxsize=16_384)
def partition_for(key: bytes, count: int) -> int:
    """Return the partition of a key among `count` partitions: the same as Kafka's Java client and aiokafka."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def murmur2(data: bytes) -> int:
    """Return the 32-bit hash of org.apache.kafka.common.utils.Utils.murmur2, unsigned."""
    length = len(data)
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * mix & mask
        h = h * mix & mask ^ (k ^ k >> 24) * mix & mask
    if length != whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * mix & mask
    h = (h ^ h >> 13) * mix & mask
    return h ^ h >> 15
