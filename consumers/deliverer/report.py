"""The state of a subscription for operators: /lanes, `gateway top`, the console and the gauges.

It shows only the receiver's origin, because a path or a query may contain a token.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.lag import lag, oldest_unfinished
from consumers.engine.status import key_queues_report
from runtime.clocks import steady

if TYPE_CHECKING:
    from consumers.deliverer.subscription_engine import SubscriptionEngine


@dataclass(frozen=True, slots=True)
class SubscriptionReport:
    """The state of one subscription in this process.

    `state`: starting, delivering, retrying (an event waits), held (Retry-After), down, stopped (410) or halted (a
    partition needs an operator).
    """

    name: str
    origin: str
    state: str
    detail: str
    oldest_seconds: float
    unfinished: int
    lag: int
    waiting: dict[str, int]
    partitions_not_running: int

    def to_json(self, running: "SubscriptionEngine") -> dict[str, Any]:
        """Return the report in JSON values."""
        answer, numbers = running.handler.last_answer, running.numbers
        return {
            "name": self.name,
            "url": self.origin,
            "state": self.state,
            "detail": self.detail,
            "oldestSeconds": round(self.oldest_seconds, 1),
            "unfinished": self.unfinished,
            "lag": self.lag,
            "waiting": self.waiting,
            "lastAnswer": None
            if answer.at is None
            else {
                "result": answer.result,
                "status": answer.status,
                "agoSeconds": round(max(0.0, time.time() - answer.at), 1),
            },
            "delivered": numbers.total_delivered,
            "deadLetters": numbers.total_dead_lettered,
            "engine": key_queues_report(running.engine),
        }


def report_subscription(running: "SubscriptionEngine") -> SubscriptionReport:
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
    oldest = [at for one in partitions.values() if (at := oldest_unfinished(one)) is not None]
    halted = [f"partition {number}: {one.detail}" for number, one in sorted(partitions.items()) if one.is_stopped]
    not_running = sum(one.status is not PartitionStatus.RUNNING or one.is_stopped for one in partitions.values())
    state, detail = _state(running, waiting, not_running, halted)
    return SubscriptionReport(
        name=running.subscription.name,
        origin=running.subscription.target.origin,
        state=state,
        detail=detail,
        oldest_seconds=max(0.0, time.time() - min(oldest)) if oldest else 0.0,
        unfinished=unfinished,
        lag=sum(lag(one) or 0 for one in partitions.values()),
        waiting=waiting,
        partitions_not_running=not_running,
    )


def show_gauges(running: "SubscriptionEngine", report: SubscriptionReport) -> None:
    """Set the gauges of a subscription."""
    gate = running.handler.gate
    running.numbers.show(
        waiting=report.waiting,
        unfinished=report.unfinished,
        oldest_seconds=report.oldest_seconds,
        lag=report.lag,
        partitions_not_running=report.partitions_not_running,
        is_down=gate.is_down,
        is_stopped=gate.is_stopped,
    )


def _state(
    running: "SubscriptionEngine", waiting: dict[str, int], not_running: int, halted: list[str]
) -> tuple[str, str]:
    gate = running.handler.gate
    if running.problem is not None:
        return "halted", running.problem
    if halted:
        return "halted", "; ".join(halted)
    if gate.is_stopped:
        return "stopped", "the receiver answered 410 Gone: gateway deliverer resume"
    if not running.has_topics:
        topics = running.health.component("topics")
        kafka = running.health.component("kafka")
        return "starting", (topics.detail if topics else "") or (kafka.detail if kafka else "")
    if not running.engine.is_joined:
        return "starting", running.engine.detail
    if not_running:
        return "starting", f"{not_running} partitions do not run yet"
    if gate.is_down:
        return "down", "the receiver accepts no event; one event is tried from time to time"
    if gate.is_held(steady()):
        return "held", "the receiver asked to wait (Retry-After)"
    if waiting:
        return "retrying", "the next events of some authorizations wait"
    return "delivering", ""
