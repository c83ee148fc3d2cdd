"""The state of a subscription for operators: /partitions, `gateway top`, the console and the gauges."""

import time
from typing import TYPE_CHECKING

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.lag import lag, oldest_unfinished
from runtime.admin.answers import SubscriptionCondition
from runtime.clocks import steady

if TYPE_CHECKING:
    from consumers.deliverer.subscription_engine import SubscriptionEngine
    from runtime.admin.answers import SubscriptionState

_TRIED = "one event is tried from time to time"


def report_subscription(running: "SubscriptionEngine") -> "SubscriptionState":
    """Return the state of a subscription; its cost does not depend on the number of events that wait."""
    partitions = running.engine.partitions
    waiting: dict[str, int] = {}
    unfinished = 0
    for partition in partitions.values():
        if partition.session is not None:
            key_queues = partition.session.dispatcher.key_queues
            unfinished += key_queues.records
            for reason, count in key_queues.waits().items():
                waiting[reason.value] = waiting.get(reason.value, 0) + count
    oldest = [at for partition in partitions.values() if (at := oldest_unfinished(partition)) is not None]
    halted = [f"partition {number}: {one.detail}" for number, one in sorted(partitions.items()) if one.is_stopped]
    not_running = sum(
        partition.status is not PartitionStatus.RUNNING or partition.is_stopped for partition in partitions.values()
    )
    state, detail = _state(running, waiting, not_running, halted)
    now, answer, numbers = time.time(), running.handler.last_answer, running.numbers
    return {
        "name": running.subscription.name,
        "url": running.subscription.target.origin,
        "state": state,
        "detail": detail,
        "oldestSeconds": round(max(0.0, now - min(oldest)), 1) if oldest else 0.0,
        "unfinished": unfinished,
        "lag": sum(lag(partition) or 0 for partition in partitions.values()),
        "waiting": waiting,
        "partitionsNotRunning": not_running,
        "lastAnswer": None
        if answer.at is None
        else {
            "result": answer.result,
            "status": answer.status,
            "agoSeconds": round(max(0.0, now - answer.at), 1),
        },
        "delivered": numbers.total_delivered,
        "deadLetters": numbers.total_dead_lettered,
    }


def _state(
    running: "SubscriptionEngine", waiting: dict[str, int], not_running: int, halted: list[str]
) -> tuple[SubscriptionCondition, str]:
    gate = running.handler.gate
    if running.problem is not None:
        return SubscriptionCondition.HALTED, running.problem
    if halted:
        return SubscriptionCondition.HALTED, "; ".join(halted)
    if gate.is_stopped:
        return SubscriptionCondition.STOPPED, "the receiver answered 410 Gone: gateway deliverer resume"
    starting = _starting(running, not_running)
    if gate.is_down:
        return SubscriptionCondition.DOWN, f"the receiver accepts no event; {starting or _TRIED}"
    if starting is not None:
        return SubscriptionCondition.STARTING, starting
    if gate.is_held(steady()):
        return SubscriptionCondition.HELD, "the receiver asked to wait (Retry-After)"
    if waiting:
        return SubscriptionCondition.RETRYING, "the next events of some authorizations wait"
    return SubscriptionCondition.DELIVERING, ""


def _starting(running: "SubscriptionEngine", not_running: int) -> str | None:
    """Return what a start waits for; None if all partitions run."""
    if not running.has_topics:
        topics = running.health.component("topics")
        kafka = running.health.component("kafka")
        return (topics.detail if topics else "") or (kafka.detail if kafka else "")
    if not running.engine.is_joined:
        return running.engine.detail
    return f"{not_running} partitions do not run yet" if not_running else None
