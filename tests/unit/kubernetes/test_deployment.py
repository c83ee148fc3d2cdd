from types import SimpleNamespace

import helm_python as helm
import pytest
import yaml

from local.kubernetes.deployment import Deployment
from local.kubernetes.paths import OF_THIS_TREE


@pytest.fixture
def values():
    servers = SimpleNamespace(
        bootstrap_of_pods="10.244.0.1:9093",
        collate=SimpleNamespace(url="http://10.244.0.1:8000"),
        receiver=SimpleNamespace(port=8001),
        dsn_of_pods="dsn",
    )
    return Deployment(None, servers, OF_THIS_TREE, "", "key").values


def rendered(values):
    with helm.Chart.load(OF_THIS_TREE.chart) as chart:
        chart.validate_schema(values)
        texts = chart.render(values, name="gateway", namespace="gateway")
    return [one for name, text in texts.items() if not name.endswith(".txt") for one in yaml.safe_load_all(text) if one]


def test_the_chart_accepts_the_values_and_runs_every_process(values):
    names = {one["metadata"]["name"] for one in rendered(values) if one["kind"] in {"Deployment", "StatefulSet"}}
    assert names >= {"gateway-ingress", "gateway-worker", "gateway-projector", "gateway-console", "gateway-deliverer"}


def test_only_the_policies_of_processes_with_a_database_allow_it(values):
    policies = {one["metadata"]["name"]: one for one in rendered(values) if one["kind"] == "NetworkPolicy"}
    with_database = {
        name for name, one in policies.items() if any("5432" in str(rule) for rule in one["spec"].get("egress", []))
    }
    assert with_database == {"gateway-ingress", "gateway-projector", "gateway-migrate", "gateway-test"}
