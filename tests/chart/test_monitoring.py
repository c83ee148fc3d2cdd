"""Alerts and the dashboard: every expression parses, every metric in it exists, every alert has its page."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
from prometheus_client import CollectorRegistry

from runtime.metrics import create_metrics

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "gateway"
# What Prometheus and the operator add to every sample, and the process's own metrics.
ADDED = {"namespace", "job", "pod", "service", "endpoint", "instance", "le"}
NOT_OURS = {"process_resident_memory_bytes"}
NAMESPACE, JOB = "payers", "prod-gateway-admin"


def described():
    """Every series that the gateway has, with its labels, in the names that Prometheus sees."""
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


def judge(expression):
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


def test_every_alert_s_expression_is_right(alerts):
    assert {name: judge(alert["expr"]) for name, alert in alerts.items() if judge(alert["expr"])} == {}


def test_what_scales_workers_asks_for_a_metric_that_exists(render):
    scaled = render({"worker": {"keda": {"enabled": True, "prometheusServer": "http://p"}}}).one("ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert judge(trigger["metadata"]["query"]) == []


def test_alerts_look_at_this_release_alone(alerts):
    for alert in alerts.values():
        selectors = [node for node in walk(promql_parser.parse(alert["expr"])) if hasattr(node, "matchers")]
        for selector in selectors:
            matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            assert (matchers["namespace"], matchers["job"]) == (NAMESPACE, JOB)


def test_what_a_summary_tells_is_a_label_of_its_expression(alerts):
    for name, alert in alerts.items():
        for label in re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]):
            aggregations = [
                node
                for node in walk(promql_parser.parse(alert["expr"]))
                if isinstance(node, promql_parser.AggregateExpr)
            ]
            assert label in aggregations[0].modifier.labels, name


def anchors(page):
    """The anchors of a page's headings, as repositories make them."""
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
def test_every_panel_s_expression_is_right(title, expression):
    # Grafana's variables are filled in before Prometheus sees them.
    filled = expression.replace("$__rate_interval", "1m").replace("$namespace", NAMESPACE).replace("$job", JOB)
    assert judge(filled) == [], title


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
    ("expression", "told"),
    [
        ('nonsense{namespace="a", job="b"} > 0', "nonsense is no metric"),
        ('collate_gateway_ready{namespace="a", job="b", color="red"}', "has no label color"),
        ("collate_gateway_ready > 0", "is not bound to this release's job"),
        ('sum by (color) (collate_gateway_ready{namespace="a", job="b"})', "nothing has a label color"),
    ],
)
def test_the_judge_would_notice(expression, told):
    assert any(told in wrong for wrong in judge(expression))
