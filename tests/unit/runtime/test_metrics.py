import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from runtime.metrics import Metrics

DESCRIBED = Metrics(CollectorRegistry()).described
# What would make as many time series as there are authorizations, people or errors.
UNBOUNDED = {"authorization", "command", "handoff", "caller", "operator", "url", "path", "message", "error", "offset"}


@pytest.mark.parametrize("metric", DESCRIBED, ids=lambda one: one.name)
def test_a_metric_has_a_description_and_bounded_labels(metric):
    assert re.fullmatch(r"collate_gateway_[a-z_]+", metric.name)
    assert metric.description[0].isupper() or metric.description[0] in "01`"
    assert metric.description.endswith(".")
    # "command" is the kind of command, one of a handful.
    assert not UNBOUNDED - {"command"} & set(metric.labels)
    assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_a_revoked_partition_has_no_gauges():
    registry = CollectorRegistry()
    engine = Metrics(registry).engine
    for partition in ("3", "4"):
        engine.lag.labels(partition).set(7)
        engine.waiting.labels(partition, "breaker").set(2)
    engine.forget(3)
    engine.forget(3)
    text = generate_latest(registry).decode()
    assert 'partition="3"' not in text
    assert 'collate_gateway_key_queues_waiting{partition="4",reason="breaker"} 2.0' in text
