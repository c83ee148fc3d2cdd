"""Every alert of the chart has a scenario, and every scenario has its three cases; `make alerts` runs them."""

import re

import pytest

from tests.alerts.__main__ import rendered_rules
from tests.alerts.scenarios import SCENARIOS

ALERTS = {rule["alert"]: rule for group in rendered_rules()["groups"] for rule in group["rules"] if "alert" in rule}


def test_every_alert_has_a_scenario_and_no_other():
    assert {scenario.alert for scenario in SCENARIOS} == ALERTS.keys()


@pytest.mark.parametrize("alert", sorted(name for name, rule in ALERTS.items() if "increase(" in rule["expr"]))
def test_an_alert_on_an_increase_fires_at_the_first_event(alert):
    """Either it counts on a rate that lasts (a number above 0), or it has a scenario with one event."""
    if " > 0 and on (pod)" not in ALERTS[alert]["expr"]:
        assert re.search(r"> [1-9]", ALERTS[alert]["expr"]) or "Budget" in alert
        return
    assert len([one for one in SCENARIOS if one.alert == alert]) == 3
