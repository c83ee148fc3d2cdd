"""The published examples equal the events that the gateway publishes."""

import json

from consumers.authorization import event_factory
from consumers.authorization.state import Handoff, Known
from schemas.events import HandoffAtRisk


def test_the_example_of_a_handoff_at_risk_equals_the_published_event():
    example = HandoffAtRisk.EXAMPLE
    handoff = Handoff(id=example["handoffId"], state="active", open_version=1)
    known = Known(version=example["version"], status="requires_action")
    assert json.loads(event_factory.at_risk(handoff, example["reason"], known).to_json()) == example
