"""Values: wrong ones fail before an installation, and the others have their documented effect."""

import json
import tomllib
from pathlib import Path

import helm_python as helm
import pytest
import yaml

from runtime.units import parse_duration
from runtime.version import VERSION
from tests.contract.documents.pages import VALUES

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "gateway"


def test_lint_accepts_the_defaults():
    found = helm.lint(CHART, strict=True)
    assert found["errors"] == []
    assert [one for one in found["messages"] if "icon" not in str(one)] == []


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*-values.yaml")), ids=lambda file: file.stem)
def test_lint_accepts_every_file_of_ci(file):
    found = helm.lint(CHART, yaml.safe_load(file.read_text()), strict=True)
    assert [one for one in found["messages"] if "icon" not in str(one)] == []


def test_chart_and_gateway_have_one_version():
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert described["version"] == described["appVersion"] == VERSION
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "runtime/version.py"


def test_every_value_has_a_default_and_every_default_is_in_the_schema():
    schema = json.loads((CHART / "values.schema.json").read_text())

    def names(shape, defaults, path=""):
        shape = schema["$defs"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
        for name, own in shape.get("properties", {}).items():
            # A value that overrides another is empty by default; values that Helm adds have no default.
            if path == "" and name == "global":
                continue
            assert name in defaults, f"{path}{name} has no default in values.yaml"
            if isinstance(defaults[name], dict) and defaults[name] and not path.startswith(".settings"):
                names(own, defaults[name], f"{path}.{name}")

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    shapes = dict(schema)
    shapes["properties"] = {name: one for name, one in schema["properties"].items() if name != "settings"}
    names(shapes, values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"settings": {"environment": ""}}, "environment"),
        ({"settings": {"kafka": {"bootstrp": "k:9092"}}}, "bootstrp"),
        ({"settings": {"worker": {"turns": "many"}}}, "turns"),
        ({"settings": {"worker": {"session_timeout": "10"}}}, "session_timeout"),
        ({"settings": {"worker": {"instance": "one-for-all"}}}, "instance"),
        ({"settings": {"collate": {"api_key_file": "/etc/passwd"}}}, "api_key_file"),
        ({"secrets": {"existingSecret": ""}}, "existingSecret"),
        ({"secrets": {"collateApiKey": "sk live"}}, "collateApiKey"),
        ({"ingress": {"enabled": True}}, "expose.ingress"),
        ({"ingress": {"hosts": ["gateway.example.com"]}}, "expose.ingress"),
        ({"extraVolumes": [{"name": "kafka", "emptyDir": {}}]}, "extraVolumes"),
        ({"worker": {"extraEnv": [{"value": "x"}]}}, "extraEnv"),
        ({"worker": {"replica": 3}}, "replica"),
        ({"worker": {"replicas": "3"}}, "replicas"),
        ({"worker": {"replicas": 13}}, "settings.topics.partitions"),
        (
            {"worker": {"keda": {"enabled": True, "maxReplicas": 13, "prometheusServer": "p"}}},
            "settings.topics.partitions",
        ),
        ({"worker": {"keda": {"enabled": True}}}, "worker.keda.prometheusServer"),
        ({"ingress": {"replicas": 3}, "settings": {"ingress": {"max_replicas": 3}}}, "settings.ingress.max_replicas"),
        ({"ingress": {"replicas": 500}}, "settings.worker.read_ahead is 2400"),
        ({"settings": {"worker": {"read_ahead": 23}}}, "settings.worker.read_ahead is 23"),
        ({"worker": {"resources": {"limits": {"memory": "1G"}}}}, "worker.resources.limits.memory is 1G"),
        ({"settings": {"worker": {"memory_limit": "2GiB"}}}, "settings.worker.memory_limit: remove it"),
        ({"worker": {"settings": {"worker": {"memory_limit": "2GiB"}}}}, "the chart computes it"),
        ({"expose": {"ingress": {"enabled": True}}}, "hosts"),
        ({"expose": {"httpRoute": {"enabled": True}}}, "parentRefs"),
        ({"console": {"enabled": True}}, "settings.console.public_url"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"ingress": {"imageTag": "1.9.0@sha256:short"}}, "imageTag"),
        ({"jobs": {"activeDeadlineSeconds": 3600}}, "activeDeadlineSeconds"),
        ({"expose": {"httpRoute": {"timeouts": {"request": "15"}}}}, "request"),
        ({"extraObjects": [{"kind": "ConfigMap"}]}, "extraObjects"),
        ({"unknown": 1}, "unknown"),
        ({"settings": {"collate": {"writes": False}}}, "writes"),  # a bare `off` in YAML
        ({"settings": {"collate": {"writes": "off"}}, "deliverer": {"enabled": True}}, "deliverer.enabled"),
    ],
)
def test_a_wrong_value_is_rejected_and_named(render, values, expected):
    with pytest.raises(helm.HelmError, match=expected):
        render(values)


@pytest.mark.parametrize("block", VALUES)
def test_the_values_of_the_deploy_guide_are_valid(render, block):
    values = yaml.safe_load(block)
    workers = render(values).one("StatefulSet", "worker")
    assert workers["spec"]["template"]["spec"]["containers"]


def test_all_required_values_that_are_missing_are_named_at_once(chart):
    with pytest.raises(helm.HelmError) as refused:
        chart.render({}, name="prod")
    for name in ("settings.environment", "settings.kafka.bootstrap", "settings.collate.base_url", "existingSecret"):
        assert name in str(refused.value)


def test_a_setting_becomes_a_variable_that_the_gateway_can_read(render):
    rendered = render(
        {
            "settings": {
                "kafka": {"bootstrap": ["a:9092", "b:9092"], "oauth_scope": "$(HOME)"},
                "ingress": {"max_body": 1000000, "caller_rate": 2500000.5},
                "collate": {"allow_plain_http": False, "calls_per_second": 12.5},
                "worker": {"command_max_age": "12h"},
            }
        }
    )
    found, of_worker = rendered.environment("ingress"), rendered.environment("worker")
    assert found["GATEWAY_ENVIRONMENT"] == "production"
    assert found["GATEWAY_KAFKA__BOOTSTRAP"] == "a:9092,b:9092"
    assert found["GATEWAY_INGRESS__MAX_BODY"] == "1000000"
    assert found["GATEWAY_INGRESS__CALLER_RATE"] == "2500000.5"
    assert found["GATEWAY_COLLATE__ALLOW_PLAIN_HTTP"] == "false"
    assert found["GATEWAY_COLLATE__CALLS_PER_SECOND"] == "12.5"
    assert of_worker["GATEWAY_WORKER__COMMAND_MAX_AGE"] == "12h"
    assert found["GATEWAY_KAFKA__OAUTH_SCOPE"] == "$$(HOME)", "Kubernetes would put a variable there"


@pytest.mark.parametrize(
    ("counts", "values", "processes"),
    [
        ("COLLATE", {"ingress": {"replicas": 3}, "worker": {"replicas": 4}}, "8"),
        (
            "COLLATE",
            {"ingress": {"autoscaling": {"enabled": True, "maxReplicas": 10}}, "worker": {"replicas": 2}},
            "13",
        ),
        ("COLLATE", {"worker": {"keda": {"enabled": True, "maxReplicas": 9, "prometheusServer": "p"}}}, "12"),
        ("COLLATE", {"settings": {"collate": {"max_replicas": 50}}}, "50"),
        ("INGRESS", {"ingress": {"replicas": 3}}, "4"),
        ("INGRESS", {"ingress": {"autoscaling": {"enabled": True, "maxReplicas": 10}}}, "11"),
        ("INGRESS", {"settings": {"ingress": {"max_replicas": 50}}}, "50"),
    ],
)
def test_calls_and_connections_are_divided_by_the_most_processes_that_can_run(render, counts, values, processes):
    assert render(values).environment("ingress")[f"GATEWAY_{counts}__MAX_REPLICAS"] == processes


@pytest.mark.parametrize("stop", [10, 20, 300])
def test_kubernetes_waits_longer_than_a_process_may_take_to_stop(render, stop):
    rendered = render({"ingress": {"stopSeconds": stop, "drainSeconds": 7}, "worker": {"stopSeconds": stop}})
    for kind, section, more in (("Deployment", "INGRESS", 7 + 5), ("StatefulSet", "WORKER", 10 + 5)):
        deadline = parse_duration(
            rendered.environment(section.lower())[f"GATEWAY_{section}__STOP_DEADLINE"]
        ).total_seconds()
        grace = rendered.one(kind)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > deadline + more


def test_a_worker_uses_its_pods_name_in_the_consumer_group(render):
    worker = render().one("StatefulSet")
    (instance,) = [
        one
        for one in worker["spec"]["template"]["spec"]["containers"][0]["env"]
        if one["name"] == "GATEWAY_WORKER__INSTANCE"
    ]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert worker["spec"]["serviceName"] == "prod-gateway-worker"


def test_probes_use_the_admin_port(render):
    for owner, _, spec in render({"projector": {"enabled": True}}).pods():
        if owner["kind"] not in {"Deployment", "StatefulSet"}:
            continue
        (container,) = spec["containers"]
        assert {"name": "admin", "containerPort": 9090} in container["ports"]
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert probes == {
            "startup": {"path": "/startupz", "port": "admin"},
            "liveness": {"path": "/livez", "port": "admin"},
            "readiness": {"path": "/readyz", "port": "admin"},
        }


def test_only_the_autoscaler_sets_the_replicas_of_a_scaled_workload(render):
    fixed = render({"worker": {"replicas": 5}})
    assert fixed.one("StatefulSet")["spec"]["replicas"] == 5
    assert fixed.one("Deployment")["spec"]["replicas"] == 2
    scaled = render(
        {
            "ingress": {"autoscaling": {"enabled": True}},
            "worker": {"keda": {"enabled": True, "prometheusServer": "http://p"}},
        }
    )
    assert "replicas" not in scaled.one("StatefulSet")["spec"]
    assert "replicas" not in scaled.one("Deployment")["spec"]


def jobs(rendered):
    return {one["metadata"]["name"]: one for one in rendered.of("Job")}


def test_jobs_are_not_hooks_so_that_pods_never_wait_for_their_own_topics(render):
    found = jobs(render({"projector": {"enabled": True}}))
    assert [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in found.values()] == [
        ["topics", "apply"],
        ["migrate"],
    ]
    assert all("annotations" not in one["metadata"] for one in found.values())


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ({"image": {"tag": "9.9.9"}}, True),
        ({"settings": {"topics": {"replication": 2}}}, True),
        ({"topics": {"kafka": {"username": "another"}}}, True),
        ({"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}, True),
        ({"podSecurityContext": {"runAsUser": None}}, True),
        ({"commonLabels": {"team": "payers"}}, True),
        ({"jobs": {"podLabels": {"team": "payers"}}}, True),
        ({"topics": {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {}}}}, True),
        ({"worker": {"resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}}}, False),
        ({"ingress": {"podAnnotations": {"team": "payers"}}}, False),
    ],
)
def test_changed_inputs_make_a_new_job_because_jobs_are_immutable(render, change, is_new):
    (before,), (after,) = jobs(render()), jobs(render(change))
    assert (before != after) is is_new
    if not is_new:
        assert jobs(render())[before]["spec"] == jobs(render(change))[after]["spec"]


def test_each_process_has_its_own_user_and_its_own_files(render):
    rendered = render(
        {
            "settings": {"kafka": {"security": "SASL_SSL"}},
            "kafka": {"files": {"ca": "ca.crt", "password": "password"}, "caExistingSecret": "kafka-ca"},
            "ingress": {"kafka": {"username": "i", "existingSecret": "ingress-user"}},
            "worker": {"kafka": {"username": "w", "existingSecret": "worker-user"}},
            "topics": {"kafka": {"username": "t", "existingSecret": "topics-user"}},
        }
    )
    expected = {"ingress": ("i", "ingress-user"), "worker": ("w", "worker-user"), "topics": ("t", "topics-user")}
    for owner, labels, spec in rendered.pods():
        component = labels["app.kubernetes.io/component"]
        if owner["kind"] == "Pod":
            component = owner["metadata"]["name"].rpartition("-")[2]
        environment = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
        (kafka,) = [volume["projected"]["sources"] for volume in spec["volumes"] if volume["name"] == "kafka"]
        assert (environment["GATEWAY_KAFKA__USERNAME"], kafka[0]["secret"]["name"]) == expected[component]
        assert kafka[1]["secret"]["name"] == "kafka-ca"
        opened = {name for name in environment if name.endswith("_FILE")}
        assert ("GATEWAY_INGRESS__CALLERS_FILE" in opened) is (component == "ingress")
        assert ("GATEWAY_WORKER__DIGEST_KEY_FILE" in opened) is (component == "worker")
        assert ("GATEWAY_COLLATE__API_KEY_FILE" in opened) is (component != "topics")


def test_files_named_in_the_callers_file_are_mounted_only_in_ingress(render):
    rendered = render({"secrets": {"callersFiles": ["scheduling-secret"]}})
    for kind, expected in (("Deployment", True), ("StatefulSet", False)):
        volumes = rendered.one(kind)["spec"]["template"]["spec"]["volumes"]
        (secret,) = [volume["secret"] for volume in volumes if volume["name"] == "secrets"]
        assert ({"key": "scheduling-secret", "path": "scheduling-secret"} in secret["items"]) is expected


def test_the_first_step_of_an_upgrade_leaves_ingress_unchanged(render):
    def images(values):
        rendered = render(values)
        return [
            rendered.one(kind)["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
            for kind in ("Deployment", "StatefulSet", "Job")
        ]

    assert images({"image": {"tag": "2.0.0"}}) == ["2.0.0", "2.0.0", "2.0.0"]
    assert images({"image": {"tag": "2.0.0"}, "ingress": {"imageTag": "1.9.0"}}) == ["1.9.0", "2.0.0", "2.0.0"]
    digest = f"sha256:{'b' * 64}"
    assert images({"image": {"digest": digest}, "ingress": {"imageTag": "1.9.0"}}) == ["1.9.0", "b" * 64, "b" * 64]
