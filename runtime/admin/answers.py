"""The answers of the admin port that other processes and the command line read. Its processes write them."""

from enum import StrEnum
from typing import Final, NotRequired, TypedDict


class SubscriptionCondition(StrEnum):
    """The state of a webhook subscription. The most urgent comes first, and hides the others."""

    HALTED = "halted"  # a partition needs an operator
    STOPPED = "stopped"  # the receiver answered 410
    DOWN = "down"
    STARTING = "starting"
    HELD = "held"  # Retry-After
    RETRYING = "retrying"  # an event waits
    DELIVERING = "delivering"


PASSING: Final = frozenset({SubscriptionCondition.STARTING, SubscriptionCondition.HELD, SubscriptionCondition.RETRYING})
"""The states that normally end soon without an operator."""


class ReceiverAnswer(TypedDict):
    """The last answer of a webhook receiver."""

    result: str
    status: int | None
    agoSeconds: float


class SubscriptionState(TypedDict):
    """A webhook subscription of a deliverer.

    `state` is a SubscriptionCondition, or a word of a newer deliverer. `url` is the receiver's origin: a path or a
    query may contain a token. `engine` has its partitions.
    """

    name: str
    url: str
    state: str
    detail: str
    oldestSeconds: float
    unfinished: int
    lag: int
    waiting: dict[str, int]
    partitionsNotRunning: int
    lastAnswer: ReceiverAnswer | None
    delivered: int
    deadLetters: int
    engine: NotRequired[object]


class StillStopped(TypedDict):
    """What an operator has not resumed, and why it is stopped."""

    partition: int | str
    detail: str


class Resumed(TypedDict):
    """What is resumed, and what is still stopped. The flags are a deliverer's."""

    resumed: list[int] | list[str]
    wasStopped: NotRequired[bool]
    isStored: NotRequired[bool]
    stopped: list[StillStopped]
