"""Alerts and the dashboard: every expression parses, every metric in it exists, every alert has its section."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
from prometheus_client import CollectorRegistry

from runtime.metrics import create_metrics

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "gateway"
# Labels that Prometheus and its operator add to every sample; metrics of the process itself.
ADDED = {"namespace", "job", "pod", "service", "endpoint", "instance", "le"}
NOT_OURS = {"process_resident_memory_bytes"}
NAMESPACE, JOB = "payers", "prod-gateway-admin"


def described():
    """Return every series of the gateway with its labels, by the name that Prometheus uses."""
    series = {}
    for one in create_metrics(CollectorRegistry()).described:
        endings = ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",)
        series |= {f"{one.name}{ending}": set(one.labels) for ending in endings}
    return series


def walk(node):
    yield node
    for name in ("lhs", "rhs", "expr", "args", "param", "vector_selector"):
        found = getattr(node, name, None)
        for child in found if isinstance(found, list) else [found]:
            if child is not None:
                yield from walk(child)


def errors_in(expression):
    """Return what is wrong with an expression."""
    known, wrong = described(), []
    nodes = list(walk(promql_parser.parse(expression)))
    labels = set()
    for node in nodes:
        if not isinstance(node, promql_parser.VectorSelector):
            continue
        if node.name not in known and node.name not in NOT_OURS:
            wrong.append(f"{node.name} is no metric")
            continue
        matchers = {matcher.name: matcher.value for matcher in node.matchers.matchers}
        labels |= known.get(node.name, set())
        wrong += [f"{node.name} has no label {name}" for name in matchers.keys() - known.get(node.name, set()) - ADDED]
        wrong += [
            f"{node.name} is not bound to this release's {name}" for name in {"namespace", "job"} - matchers.keys()
        ]
    for node in nodes:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            wrong += [f"nothing has a label {name}" for name in set(node.modifier.labels) - labels - ADDED]
    return wrong


@pytest.fixture(scope="module")
def alerts(render):
    values = {
        "projector": {"enabled": True},
        "monitoring": {"rules": {"enabled": True, "runbookBase": "https://docs.test/", "labels": {"team": "payers"}}},
    }
    groups = render(values).one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_the_expression_of_every_alert_is_valid(alerts):
    assert {name: errors_in(alert["expr"]) for name, alert in alerts.items() if errors_in(alert["expr"])} == {}


def test_the_trigger_that_scales_workers_uses_an_existing_metric(render):
    scaled = render({"worker": {"keda": {"enabled": True, "prometheusServer": "http://p"}}}).one("ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert errors_in(trigger["metadata"]["query"]) == []


def test_alerts_select_only_this_release(alerts):
    for alert in alerts.values():
        selectors = [node for node in walk(promql_parser.parse(alert["expr"])) if hasattr(node, "matchers")]
        for selector in selectors:
            matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            assert (matchers["namespace"], matchers["job"]) == (NAMESPACE, JOB)


def test_a_summary_uses_only_labels_of_its_expression(alerts):
    for name, alert in alerts.items():
        for label in re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]):
            aggregations = [
                node
                for node in walk(promql_parser.parse(alert["expr"]))
                if isinstance(node, promql_parser.AggregateExpr)
            ]
            assert label in aggregations[0].modifier.labels, name


def anchors(page):
    """Return the anchors of a page's headings, as repository hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_has_its_page(alerts):
    page = (ROOT / "docs" / "operations.md").read_text()
    known = anchors(page)
    for name, alert in alerts.items():
        base, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert base == "https://docs.test/operations.md"
        assert anchor in known, f"{name}: no heading makes #{anchor}"
        assert f"`{name}`" in page, f"docs/operations.md does not name {name}"


def test_the_page_names_no_alert_that_does_not_exist(alerts):
    page = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"`(CollateGateway\w+)`", page)) == alerts.keys()


def test_severities_are_two_and_labels_are_passed_on(alerts):
    assert {alert["labels"]["severity"] for alert in alerts.values()} == {"critical", "warning"}
    assert {alert["labels"]["team"] for alert in alerts.values()} == {"payers"}


def test_an_alert_on_what_is_wrong_right_now_waits_a_moment(alerts):
    """A gauge that is bad for one scrape wakes nobody; a counter that moved does."""
    at_once = {name for name, alert in alerts.items() if "for" not in alert}
    for name in at_once - {"CollateGatewayPartitionStopped"}:
        assert "increase(" in alerts[name]["expr"], name


PANELS = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
TARGETS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", ())]


@pytest.mark.parametrize(("title", "expression"), TARGETS)
def test_the_expression_of_every_panel_is_valid(title, expression):
    # Grafana's variables are filled in before Prometheus sees them.
    filled = expression.replace("$__rate_interval", "1m").replace("$namespace", NAMESPACE).replace("$job", JOB)
    assert errors_in(filled) == [], title


def test_every_panel_says_what_it_shows():
    assert all(panel.get("description") for panel in PANELS if panel["type"] != "row")
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)


def test_the_dashboard_arrives_whole(render):
    config_map = render({"monitoring": {"dashboard": {"enabled": True}}}).one("ConfigMap", "-dashboard")
    delivered = json.loads(config_map["data"]["collate-gateway.json"])
    assert delivered == json.loads((CHART / "files" / "dashboard.json").read_text())
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('nonsense{namespace="a", job="b"} > 0', "nonsense is no metric"),
        ('collate_gateway_ready{namespace="a", job="b", color="red"}', "has no label color"),
        ("collate_gateway_ready > 0", "is not bound to this release's job"),
        ('sum by (color) (collate_gateway_ready{namespace="a", job="b"})', "nothing has a label color"),
    ],
)
def test_a_wrong_expression_is_found(expression, expected):
    assert any(expected in wrong for wrong in errors_in(expression))
