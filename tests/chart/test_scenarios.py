"""Every alert of the chart has a scenario, and every scenario has its three cases; `make alerts` runs them."""

import pytest

from tests.alerts.__main__ import rendered_rules
from tests.alerts.scenarios import BEGINS, SCENARIOS


@pytest.fixture(scope="module")
def alerts():
    return {rule["alert"]: rule for group in rendered_rules()["groups"] for rule in group["rules"] if "alert" in rule}


def test_every_alert_has_a_scenario_and_no_other(alerts):
    assert {scenario.alert for scenario in SCENARIOS} == alerts.keys()


@pytest.mark.parametrize("alert", sorted({scenario.alert for scenario in SCENARIOS}))
def test_an_alert_has_a_first_occurrence_a_steady_and_a_recovery_case(alert):
    scenarios = [scenario for scenario in SCENARIOS if scenario.alert == alert]
    assert all(BEGINS <= scenario.first < scenario.recovered for scenario in scenarios)
    steady = [scenario for scenario in scenarios if scenario.steady is not None]
    assert steady, "a fault that lasts must not be forgotten"
    assert all(scenario.first < scenario.steady < scenario.recovered for scenario in steady)


def test_an_alert_on_an_increase_fires_at_the_first_event(alerts):
    """Either it counts on a rate that lasts (a number above 0), or it has a scenario with one event."""
    on_increases = {alert: rule["expr"] for alert, rule in alerts.items() if "increase(" in rule["expr"]}
    assert on_increases
    for alert, expression in on_increases.items():
        if " > 0 and on (pod)" in expression:
            assert len([one for one in SCENARIOS if one.alert == alert]) == 3, alert
        else:
            assert "> 3" in expression or "Budget" in alert, alert
