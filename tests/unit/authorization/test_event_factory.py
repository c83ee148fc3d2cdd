"""The published examples equal the events that the gateway publishes."""

import json

from consumers.authorization import event_factory
from consumers.authorization.state import Handoff, Known
from schemas.enums import RiskReason
from schemas.events import HandoffAtRisk
from schemas.times import parse_time


def test_the_example_of_a_handoff_at_risk_equals_the_published_event():
    example = HandoffAtRisk.EXAMPLE
    handoff = Handoff(id=example["handoffId"], state="active", open_version=1)
    known = Known(version=example["version"], status="requires_action")
    ends_at = parse_time(example["endsAt"]).timestamp()
    event = event_factory.at_risk(handoff, RiskReason(example["reason"]), ends_at, known)
    assert json.loads(event.to_json()) == example
