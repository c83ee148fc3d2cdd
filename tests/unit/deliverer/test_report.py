from types import SimpleNamespace

import pytest

from consumers.deliverer.gate import FAILING_KEYS, Gate
from consumers.deliverer.handler import LastAnswer
from consumers.deliverer.report import report_subscription
from runtime.admin.answers import SubscriptionCondition


@pytest.mark.parametrize(("failing", "expected"), [(0, "starting"), (FAILING_KEYS, "down")])
def test_the_most_urgent_state_of_a_process_hides_the_others_as_between_processes(failing, expected):
    gate = Gate(lambda: 0.5)
    for number in range(failing):
        gate.enter(b"%d" % number, 0.0)
        gate.failed(b"%d" % number, 0.0, None)
    running = SimpleNamespace(
        subscription=SimpleNamespace(name="billing", target=SimpleNamespace(origin="https://hooks.example")),
        engine=SimpleNamespace(partitions={}, is_joined=False, detail="joins the group"),
        handler=SimpleNamespace(gate=gate, last_answer=LastAnswer()),
        numbers=SimpleNamespace(total_delivered=0, total_dead_lettered=0),
        has_topics=True,
        problem=None,
    )
    report = report_subscription(running)
    assert report["state"] == SubscriptionCondition(expected)
    assert report["detail"].endswith("joins the group")
