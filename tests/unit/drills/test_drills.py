"""What drills state about themselves agrees with the chart and the runbook."""

import re
from pathlib import Path

import pytest

from local.drills.catalogue import DRILLS

ROOT = Path(__file__).parents[3]
RULES = (ROOT / "helm/gateway/templates/prometheusrule.yaml").read_text()
RUNBOOK = (ROOT / "docs/operations.md").read_text()


def anchors(text):
    return {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("drill", [one for one in DRILLS.values() if hasattr(one, "alert")], ids=lambda one: one.name)
def test_a_drill_shows_an_alert_that_the_chart_has_and_its_page(drill):
    rule = re.search(rf'"{drill.alert.name}".*?"page" "([^"]+)"', RULES)
    assert rule, f"the chart has no alert {drill.alert.name}"
    assert rule[1] == drill.alert.page
    assert drill.alert.page in anchors(RUNBOOK)
    metrics = (ROOT / "docs/metrics.md").read_text()
    assert re.search(rf"`{drill.alert.metric}\W", metrics)
