"""Every closed label set is shown from the start: an alert on an increase needs a zero before the first one."""

import ast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from adapters.collate.call_policy.breaker import BreakerState
from adapters.postgres.store import SWEEPS
from consumers.engine.interface import HandlerFailure
from consumers.projector.parsing import TOPICS
from gateway.ingress.commands.appending import AppendFailure
from gateway.ingress.commands.waiters import _End
from gateway.ingress.event_stream.stream import EndReason
from runtime.admin import closed_labels
from runtime.admin.closed_labels import show_zeros
from runtime.metrics import Metrics
from schemas.enums import Effect, Outcome
from tests.contract.code.product import nodes

# Metrics whose labels are no closed set, or are shown from the start elsewhere, with the reason.
ELSEWHERE = {
    "build_info": "one series a process",
    "credential_expires_timestamp_seconds": "one series a file that the settings name",
    "credential_life_seconds": "one series a file that the settings name",
    "degraded": "the composition root of ingress shows every part",
    "spans": "the exporter shows both results",
    "requests": "as many combinations as routes, methods and statuses; alerts use a ratio of rates",
    "request_seconds": "a histogram by route",
    "console_pages": "as many combinations as routes, methods and statuses; alerts use a ratio of rates",
    "console_page_seconds": "a histogram by route",
    "collate_attempts": "the client shows every operation and result",
    "collate_attempt_seconds": "the client shows every operation",
    "collate_in_flight": "the budget shows every priority",
    "collate_waiting": "the budget shows every priority",
    "collate_wait_seconds": "the budget shows every priority",
    "observation_slowdown": "the watcher shows every priority of observations",
    "collate_breakers": "the budget shows every breaker",
    "transaction_failures": "names of exceptions; its alert needs a lasting rate",
    "starts_failed": "names of exceptions; no alert uses its increase",
    "handler_seconds": "a histogram by kind",
    "command_finish_seconds": "a histogram by command",
    "read_seconds": "a histogram by read",
    "batch_events": "the route shows every result",
    "database_connections": "the reader sets every part with each probe of the database",
    "people_waiting": "the projector's poller shows every age",
    "people_waiting_payers": "the poller shows every payer of the settings",
    "people_turned_away": "the poller shows every payer of the settings",
    "handoffs_at_risk": "the poller shows every risk",
    "handoff_stage_seconds": "the worker shows every stage and payer of the settings",
    "handoff_agreements": "the worker shows every verdict and payer of the settings",
    "authorizations_overdue": "the worker shows every payer of the settings",
    "authorizations_settled_due": "the worker shows both answers and every payer of the settings",
    "partitions": "set every second",
    **{
        f"deliverer_{name}": "the subscription shows it from its start; see consumers.deliverer.numbers"
        for name in (
            "requests",
            "request_seconds",
            "delivered",
            "delivery_age_seconds",
            "dead_letters",
            "waiting",
            "unfinished",
            "oldest_unfinished_seconds",
            "second_key_unfinished_seconds",
            "lag",
            "partitions_not_running",
            "down",
            "stopped",
        )
    },
    "key_queues_waiting": "set every second",
    "connections": "set when a port opens",
    "connections_limit": "set when a port opens",
}


@pytest.fixture
def metrics():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for process in ("ingress", "worker", "projector", "deliverer"):
        show_zeros(metrics, process)
    metrics.engine.show_zeros(0)
    return metrics, generate_latest(registry).decode()


def test_every_metric_with_a_closed_label_set_has_its_zeros(metrics):
    created, text = metrics
    names = {
        metric.name.removeprefix("collate_gateway_").removesuffix("_total")
        for metric in created.described
        if metric.labels and f"{metric.name}{{" not in text and metric.labels != ("partition",)
    }
    assert names - ELSEWHERE.keys() == set()


@pytest.mark.parametrize(
    ("shown", "values"),
    [
        (closed_labels.HANDLER_FAILURES, [failure.value for failure in HandlerFailure]),
        (closed_labels.BREAKER_STATES, [state.name.lower() for state in BreakerState]),
        (closed_labels.STREAM_ENDS, [reason.value for reason in EndReason if reason is not EndReason.CLIENT]),
        (closed_labels.WAITS, ["finished", "dead_lettered", "full", *(end.value for end in _End)]),
        (closed_labels.PUBLISH_FAILURES, [AppendFailure.SLOW.value, AppendFailure.FAILED.value]),
        (closed_labels.TABLES_WITH_RETENTION, list(SWEEPS)),
        (closed_labels.PROJECTED_TOPICS, list(TOPICS)),
        ({outcome for outcome, _ in closed_labels.ENDINGS}, [outcome.value for outcome in Outcome]),
        ({effect for _, effect in closed_labels.ENDINGS}, [effect.value for effect in Effect]),
    ],
)
def test_a_closed_set_is_the_enum_of_the_part_that_counts(shown, values):
    assert sorted(shown) == sorted(values)


def constants_of(*counters):
    """Return the constants that the product gives to `<counter>.labels(…)`, and to the methods that pass them on."""
    found = set()
    for parts in nodes().values():
        for node in parts:
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            is_counter = node.func.attr == "labels" and isinstance(owner, ast.Attribute) and owner.attr in counters
            if is_counter or node.func.attr in counters:
                strings = [one for argument in node.args for one in ast.walk(argument) if isinstance(one, ast.Constant)]
                found |= {one.value for one in strings if isinstance(one.value, str)}
    return found


def test_the_sets_without_an_enum_hold_every_constant_of_the_product():
    rejected_before_a_send = {AppendFailure.AWAY, AppendFailure.IN_DOUBT, AppendFailure.FULL, AppendFailure.STOPPING}
    assert constants_of("shed", "_shed", "_refusal", "evict") | rejected_before_a_send == set(closed_labels.SHEDS)
    assert constants_of("observations") | {"stale", "not_found", "unreadable", "no_answer"} == set(
        closed_labels.OBSERVATIONS
    )
    assert constants_of("callers_reloads") <= set(closed_labels.RELOADS)
