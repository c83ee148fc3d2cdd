"""Each row of the table of faults has a time line, an alert of the chart, and its first command in the runbook."""

import re

import pytest

from docs_build.faults import FAULTS
from tests.alerts.__main__ import rendered_rules
from tests.alerts.faults import TIME_LINES
from tests.contract.documents.pages import PAGES, slug

SECTIONS = {
    slug(title): text
    for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGES["docs/operations.md"], re.MULTILINE | re.DOTALL)
}
ALERTS = {rule["alert"] for group in rendered_rules()["groups"] for rule in group["rules"] if "alert" in rule}


def test_each_row_has_one_time_line_and_each_time_line_a_row():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))
    assert TIME_LINES.keys() == set(names)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_section_of_a_fault_names_its_alert_and_its_first_command_before_others(fault):
    section = SECTIONS[fault.page]
    assert f"CollateGateway{fault.alert}" in ALERTS
    assert f"`CollateGateway{fault.alert}`" in section
    first = re.search(r"gateway (check|top|status)\b|date --utc", section)
    alternatives = "--for ingress" if fault.command.endswith("ingress") else fault.command
    assert first, f"#{fault.page} has no command"
    assert fault.command.startswith(first[0])
    assert alternatives in section


WANTED = {
    "the replicas": ({}, {"ingress": 2, "worker": 2}),
    "the least of an autoscaler": (
        {
            "ingress": {"replicas": 9, "autoscaling": {"enabled": True, "minReplicas": 3}},
            "worker": {"replicas": 9, "keda": {"enabled": True, "minReplicas": 4, "prometheusServer": "http://p"}},
        },
        {"ingress": 3, "worker": 4},
    ),
    "every part that is enabled": (
        {
            "settings": {"console": {"public_url": "https://c.test", "oidc_issuer": "https://i.test"}},
            "projector": {"enabled": True},
            "deliverer": {"enabled": True, "replicas": 3},
            "console": {"enabled": True},
        },
        {"ingress": 2, "worker": 2, "projector": 1, "deliverer": 3, "console": 2},
    ),
    "no part without processes": ({"worker": {"replicas": 0}}, {"ingress": 2}),
}


@pytest.mark.parametrize(("values", "wanted"), WANTED.values(), ids=WANTED)
def test_an_alert_knows_how_many_processes_each_part_has(render, values, wanted):
    rules = render(values | {"monitoring": {"rules": {"enabled": True}}}).one("PrometheusRule")
    alerts = {rule.get("alert"): rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]}
    missing, absent = alerts["CollateGatewayProcessMissing"], alerts["CollateGatewayAbsent"]
    found = re.findall(r'process="(\w+)"[^<]*absent[^<]*< (\d+)', missing)
    assert {process: int(least) for process, least in found} == wanted
    assert set(re.findall(r'process="(\w+)"', absent)) == wanted.keys()
