"""Alerts and the dashboard: every expression parses, every metric in it exists, every alert has its section."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
from prometheus_client import CollectorRegistry

from runtime.metrics import Metrics
from tests.contract.documents.pages import anchors

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "gateway"
# Labels that Prometheus and its operator add to every sample; metrics of the process itself.
ADDED = {"namespace", "job", "pod", "service", "endpoint", "instance", "le"}
# Of kube-state-metrics: bound by the name of the CronJob.
CRON_JOB = {
    "kube_cronjob_status_last_successful_time": {"namespace", "cronjob"},
    "kube_cronjob_created": {"namespace", "cronjob"},
    "kube_job_failed": {"namespace", "job_name", "condition"},
}
NOT_OURS = {"process_resident_memory_bytes", "process_start_time_seconds", "up"}
# Series that the chart's recording rules make; each has only the labels of the release.
RECORDED = re.compile(
    r"collate_gateway:(acceptance|outcome|reaction)_errors:ratio_rate(5m|30m|1h|6h)"
    r"|collate_gateway:(people|handoff|authorization)\w+:(max|p50_1d|p90_1d|increase1d|ratio1d)"
)
NAMESPACE, JOB = "payers", "prod-gateway-admin"


def described():
    """Return every series of the gateway with its labels, by the name that Prometheus uses."""
    series = {}
    for one in Metrics(CollectorRegistry()).described:
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
        if node.name in CRON_JOB:
            assert {matcher.name for matcher in node.matchers.matchers} == CRON_JOB[node.name]
            continue
        if node.name not in known and node.name not in NOT_OURS and not RECORDED.fullmatch(node.name):
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
def rules(render):
    values = {
        "projector": {"enabled": True},
        "promises": {"enabled": True},
        "deliverer": {"enabled": True},
        "monitoring": {"rules": {"enabled": True, "runbookBase": "https://docs.test/"}},
    }
    return [rule for group in render(values).one("PrometheusRule")["spec"]["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def alerts(rules):
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


@pytest.fixture(scope="module")
def recorded(rules):
    return {rule["record"]: rule for rule in rules if "record" in rule}


def test_the_expression_of_every_alert_is_valid(alerts):
    assert {name: errors_in(alert["expr"]) for name, alert in alerts.items() if errors_in(alert["expr"])} == {}


def test_recording_rules_are_valid_and_keep_the_labels_of_the_release(recorded):
    assert len([name for name in recorded if "_errors:" in name]) == 12
    page = (ROOT / "docs" / "people-numbers.md").read_text()
    assert set(re.findall(r"`(collate_gateway:[\w:]+)`", page)) == {name for name in recorded if "_errors:" not in name}
    for name, rule in recorded.items():
        assert RECORDED.fullmatch(name)
        assert errors_in(rule["expr"]) == []
        assert rule["labels"] == {"namespace": NAMESPACE, "job": JOB}


def test_an_alert_has_the_labels_of_its_release(alerts):
    """Else Alertmanager takes the alerts of two installations for one, and the end of one resolves both."""
    for name, alert in alerts.items():
        assert alert["labels"].items() >= {"namespace": NAMESPACE, "job": JOB}.items(), name


def test_each_group_of_requests_has_its_own_alert(alerts):
    """A Collate that is away fails live calls; that is no reason to wake anybody for the commands."""
    known = {name: set() for name in ("RequestsFail", "LiveCallsFail", "ReadsFail")}
    for route in routes_of_the_api():
        for name, found in known.items():
            matchers = re.search(r'route(=~|!~)"([^"]+)"', alerts[f"CollateGateway{name}"]["expr"])
            if bool(re.fullmatch(matchers[2], route)) == (matchers[1] == "=~"):
                found.add(route)
    assert {route.rpartition("/")[2] for route in known["LiveCallsFail"]} == {
        "access-grants",
        "review-snapshot",
        "payer-evidence",
        "situation",
    }
    assert known["ReadsFail"] == {
        "/v1/commands/{commandId}",
        "/v1/authorizations/{authorizationId}",
        "/v1/authorizations/{authorizationId}/timeline",
        "/v1/handoffs",
        "/v1/overview",
    }
    assert sum(map(len, known.values())) == len(routes_of_the_api())
    assert set.union(*known.values()) == routes_of_the_api()


def routes_of_the_api():
    return set(json.loads((ROOT / "schemas" / "published" / "openapi.json").read_text())["paths"])


def test_the_trigger_that_scales_workers_uses_an_existing_metric(render):
    scaled = render({"worker": {"keda": {"enabled": True, "prometheusServer": "http://p"}}}).one("ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert errors_in(trigger["metadata"]["query"]) == []


def test_a_summary_uses_only_labels_of_its_expression(alerts):
    for name, alert in alerts.items():
        for label in re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]):
            aggregations = [
                node
                for node in walk(promql_parser.parse(alert["expr"]))
                if isinstance(node, promql_parser.AggregateExpr)
            ]
            assert label in aggregations[0].modifier.labels, name


def test_every_alert_has_its_page(alerts):
    page = (ROOT / "docs" / "operations.md").read_text()
    known = anchors(page)
    for name, alert in alerts.items():
        base, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert base == "https://docs.test/operations.md"
        assert anchor in known, f"{name}: no heading makes #{anchor}"
        assert f"`{name}`" in page, f"docs/operations.md does not name {name}"


def test_no_alert_of_a_shadow_pages_anybody(render):
    rules = {"monitoring": {"rules": {"enabled": True}}, "settings": {"collate": {"writes": "off"}}}
    groups = render(rules).one("PrometheusRule")["spec"]["groups"]
    assert {rule["labels"]["severity"] for group in groups for rule in group["rules"] if "alert" in rule} == {"info"}


def test_an_alert_on_what_is_wrong_right_now_waits_a_moment(alerts):
    """A gauge that is bad for one scrape wakes nobody; a counter that moved does."""
    at_once = {name for name, alert in alerts.items() if "for" not in alert}
    for name in at_once - {"CollateGatewayPartitionStopped", "CollateGatewaySubscriptionStopped"}:
        assert re.search(r"\b(increase|changes)\(", alerts[name]["expr"]), name


PANELS = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
TARGETS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", ())]


@pytest.mark.parametrize(("title", "expression"), TARGETS)
def test_the_expression_of_every_panel_is_valid(title, expression):
    # Grafana's variables are filled in before Prometheus sees them.
    filled = expression.replace("$__rate_interval", "1m").replace("$namespace", NAMESPACE).replace("$job", JOB)
    assert errors_in(filled) == [], title


def test_the_dashboard_arrives_whole_with_the_runbook(render):
    base = "https://docs.test/"
    values = {"monitoring": {"dashboard": {"enabled": True}, "rules": {"runbookBase": base}}}
    config_map = render(values).one("ConfigMap", "-dashboard")
    delivered = json.loads(config_map["data"]["collate-gateway.json"])
    text = (CHART / "files" / "dashboard.json").read_text()
    assert delivered == json.loads(text.replace("RUNBOOK_BASE", base))
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_every_panel_links_to_a_section_of_the_runbook():
    known = anchors((ROOT / "docs" / "operations.md").read_text())
    for panel in PANELS:
        if panel["type"] != "row":
            (link,) = panel["links"]
            assert link["url"].startswith("${runbook}operations.md#")
            assert link["url"].partition("#")[2] in known, panel["title"]


def test_every_metric_is_on_a_panel_or_in_an_alert(alerts):
    shown = " ".join([*(expression for _, expression in TARGETS), *(alert["expr"] for alert in alerts.values())])
    unseen = [
        metric.name
        for metric in Metrics(CollectorRegistry()).described
        if not re.search(rf"\b{metric.name}(_bucket|_sum|_count)?\b", shown)
    ]
    assert unseen == []


def test_the_rules_of_two_releases_in_one_namespace_select_their_own_metrics(render):
    values = {"monitoring": {"rules": {"enabled": True}}}
    rules = {name: render(values, name=name).one("PrometheusRule") for name in ("north", "south")}
    for name, other in (("north", "south"), ("south", "north")):
        expressions = [rule["expr"] for group in rules[name]["spec"]["groups"] for rule in group["rules"]]
        raw = [text for text in expressions if "collate_gateway" in text]
        assert len(raw) > 30
        assert all(f'job="{name}-gateway-admin"' in text for text in raw), name
        assert not any(other in text for text in expressions)
