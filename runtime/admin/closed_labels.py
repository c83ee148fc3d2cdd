"""The closed sets of labels, which a process shows as zeros from its start.

`increase()` of a series that appears with the value 1 is 0. So without the zeros the first dead letter, the first
failed handler and the first refused callers file would raise no alert. A unit test compares the sets with the enums of
the packages above this one, and with the constants at the places that count.
"""

from collections.abc import Iterable
from itertools import product
from typing import Final

from prometheus_client import Counter, Gauge

from runtime.metrics import Metrics
from schemas.enums import CommandType
from schemas.events.reasons import DeadLetterCause
from schemas.events.wait_reasons import WaitReason

Labels = tuple[str, ...]

CAUSES: Final = tuple(cause.value for cause in DeadLetterCause)
TORN: Final = ("healed", "lost")
HANDLER_FAILURES: Final = (WaitReason.HANDLER_FAILED, WaitReason.HANDLER_HUNG, WaitReason.RESULT_TOO_LARGE)
WAIT_REASONS: Final = tuple(WaitReason)
OBSERVATIONS: Final = ("news", "nothing", "held", "not_found", "unreadable", "stale", "no_answer")
BREAKER_STATES: Final = ("closed", "half_open", "open")
# Only these combinations exist: of a command that ended without being applied no change is known.
ENDINGS: Final = (
    ("applied", "ours"),
    ("applied", "inferred"),
    ("already_done", "none"),
    ("already_done", "unknown"),
    ("rejected", "none"),
    ("rejected", "unknown"),
    ("expired", "none"),
    ("discarded", "none"),
    ("discarded", "unknown"),
)
CONNECTION_SHEDS: Final = ("idle_connections", "connections", "peer_connections")
SHEDS: Final = (
    *CONNECTION_SHEDS,
    "rate",
    "caller_in_flight",
    "unverified_bodies",
    "slow_bodies",
    "in_flight",
    "streams",
    "caller_batches",
    "batches",
    "unfinished",
    "unknown",
    "kafka_away",
    "partition_in_doubt",
    "publishes",
    "stopping",
)
PUBLISH_FAILURES: Final = ("deadline", "failed")
WAITS: Final = ("finished", "dead_lettered", "timeout", "left", "stopped", "full")
STREAM_ENDS: Final = ("slow", "stopping", "kafka_away", "renew")
RELOADS: Final = ("ok", "refused")
PROJECTED_TOPICS: Final = ("commands", "events", "authorizations")
TABLES_WITH_RETENTION: Final = ("timeline", "minutes", "commands", "handoffs", "authorizations")


def show_zeros(metrics: Metrics, process: str) -> None:
    """Create the series of the closed label sets of a process."""
    ports = (metrics.ingress.shed, _singly(CONNECTION_SHEDS))
    for metric, labels in (ports, *_of_process(metrics).get(process, ())):
        for values in labels:
            metric.labels(*values)


def _of_process(metrics: Metrics) -> dict[str, list[tuple[Counter | Gauge, Iterable[Labels]]]]:
    ingress, commands, engine, readmodel = metrics.ingress, metrics.commands, metrics.engine, metrics.readmodel
    commands_sent = [kind.value for kind in CommandType]
    return {
        "ingress": [
            (ingress.shed, _singly(SHEDS)),
            (ingress.publish_failures, _singly(PUBLISH_FAILURES)),
            (ingress.waits, _singly(WAITS)),
            (ingress.streams_dropped, _singly(STREAM_ENDS)),
            (ingress.callers_reloads, _singly(RELOADS)),
            (ingress.dead_letters_open, _singly(CAUSES)),
            (metrics.collate.breaker_changes, _singly(BREAKER_STATES)),
        ],
        "worker": [
            (engine.handler_failures, _singly(HANDLER_FAILURES)),
            (engine.torn_transactions, _singly(TORN)),
            (commands.finished, ((kind, *ending) for kind, ending in product(commands_sent, ENDINGS))),
            (commands.dead_letters, _singly(CAUSES)),
            (commands.waiting_events, _singly(WAIT_REASONS)),
            (commands.observations, _singly(OBSERVATIONS)),
            (metrics.collate.breaker_changes, _singly(BREAKER_STATES)),
        ],
        "deliverer": [(metrics.deliverer.subscriptions_reloads, _singly(RELOADS))],
        "projector": [
            (readmodel.records, _singly(PROJECTED_TOPICS)),
            (readmodel.unreadable, _singly(PROJECTED_TOPICS)),
            (readmodel.rows_deleted, _singly(TABLES_WITH_RETENTION)),
        ],
    }


def _singly(values: Iterable[str]) -> Iterable[Labels]:
    return ((value,) for value in values)
