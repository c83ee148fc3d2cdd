"""The five topics: their names, what they keep, who writes them, and which partition a key belongs to.

Replication, partition count and min.insync.replicas are the installation's (settings); what stands here is part of the
contract and checked at start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

Writer = Literal["ingress", "worker"]
_DAY_MS = 24 * 60 * 60 * 1000
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; every one is keyed by the authorization id."""

    name: str
    role: str
    purpose: str
    writer: Writer
    config: Mapping[str, str]

    @property
    def is_compacted(self) -> bool:
        """Whether the latest record of a key is kept for ever."""
        return self.config["cleanup.policy"] == "compact"


@dataclass(frozen=True, slots=True)
class Topics:
    """The catalogue under one prefix."""

    commands: Topic
    events: Topic
    authorizations: Topic
    state: Topic
    dead_letters: Topic

    def __iter__(self) -> Iterator[Topic]:
        """Walk them in the order of a command's life."""
        yield from (self.commands, self.events, self.authorizations, self.state, self.dead_letters)


def catalogue(prefix: str) -> Topics:
    """Return the topics whose names begin with `prefix`."""
    return Topics(
        commands=Topic(f"{prefix}commands", "commands", "What was asked for, in order.", "ingress", _kept(days=7)),
        events=Topic(
            f"{prefix}events", "events", "What happened, numbered per authorization.", "worker", _kept(days=30)
        ),
        authorizations=Topic(
            f"{prefix}authorizations", "authorizations", "The latest public state of each.", "worker", _latest()
        ),
        state=Topic(f"{prefix}state", "state", "The worker's private memory, intents included.", "worker", _latest()),
        dead_letters=Topic(
            f"{prefix}dead-letters", "dead_letters", "Commands that wait for a person.", "worker", _kept(days=30)
        ),
    )


def _kept(days: int) -> Mapping[str, str]:
    return MappingProxyType({"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)})


def _latest() -> Mapping[str, str]:
    # Compaction only touches closed segments: small ones and a bounded lag keep the restore time from growing for ever.
    return MappingProxyType(
        {
            "cleanup.policy": "compact",
            "segment.bytes": str(16 * _MIB),
            "segment.ms": str(60 * 60 * 1000),
            "min.cleanable.dirty.ratio": "0.1",
            "max.compaction.lag.ms": str(6 * 60 * 60 * 1000),
            "delete.retention.ms": str(_DAY_MS),
        }
    )


@lru_cache(maxsize=16_384)
def partition_for(key: bytes, count: int) -> int:
    """Return the partition of a key among `count`, as Kafka's Java client and aiokafka choose it."""
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
