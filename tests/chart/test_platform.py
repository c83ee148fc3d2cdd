"""Values for what a platform adds to pods, Services and the monitor; its example of a Secret."""

import yaml

from tests.chart.conftest import CHART


def test_extra_lists_of_all_pods_come_before_those_of_a_component(render):
    rendered = render(
        {
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://p.test:3128"}],
            "worker": {"extraEnv": [{"name": "ONLY_WORKER", "value": "1"}]},
            "extraVolumes": [{"name": "company-ca", "configMap": {"name": "company-ca"}}],
            "extraVolumeMounts": [{"name": "company-ca", "mountPath": "/etc/company"}],
        }
    )
    for owner, labels, spec in rendered.pods():
        (container,) = spec["containers"]
        names = [one["name"] for one in container["env"]]
        assert "HTTPS_PROXY" in names
        tests_worker = owner["metadata"]["name"].endswith("test-worker")
        assert ("ONLY_WORKER" in names) is (labels["app.kubernetes.io/component"] == "worker" or tests_worker)
        assert {"name": "company-ca", "configMap": {"name": "company-ca"}} in spec["volumes"]
        assert {"name": "company-ca", "mountPath": "/etc/company"} in container["volumeMounts"]


def test_the_platform_may_choose_the_user(render):
    ids = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    for _, _, spec in render({"podSecurityContext": ids, "projector": {"enabled": True}}).pods():
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_common_labels_are_on_every_object_and_never_change_a_selector(render):
    common = {"team": "payers", "app.kubernetes.io/name": "mine", "owner": "a"}
    everything = {"projector": {"enabled": True}, "monitoring": {"rules": {"enabled": True, "labels": {"owner": "b"}}}}
    rendered = render(everything | {"commonLabels": common, "worker": {"podLabels": {"owner": "c"}}})
    for one in rendered:
        assert one["metadata"]["labels"]["team"] == "payers", one["kind"]
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "gateway"
    assert all(labels["team"] == "payers" for _, labels, _ in rendered.pods())
    assert rendered.one("PrometheusRule")["metadata"]["labels"]["owner"] == "b"
    worker = rendered.one("StatefulSet")["spec"]
    assert worker["template"]["metadata"]["labels"]["owner"] == "c"
    assert worker["selector"] == render(everything).one("StatefulSet")["spec"]["selector"]


def test_constraints_without_a_selector_select_the_pods_of_their_component(render):
    zones = {"topologyKey": "zone", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}
    own = {"matchLabels": {"app": "x"}}
    worker = render({"worker": {"topologySpreadConstraints": [zones, zones | {"labelSelector": own}]}})
    spec = worker.one("StatefulSet")["spec"]
    first, second = spec["template"]["spec"]["topologySpreadConstraints"]
    assert first == zones | {"labelSelector": spec["selector"]}
    assert second == zones | {"labelSelector": own}


def test_pods_are_spread_over_nodes_also_where_nodes_have_no_zone(render):
    """The scheduler ignores a node for all preferred constraints if it has no label of one of them."""
    spec = render().one("StatefulSet")["spec"]
    pod = spec["template"]["spec"]
    (nodes,) = pod["topologySpreadConstraints"]
    assert (nodes["topologyKey"], nodes["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    (zones,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    term = {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": spec["selector"]}
    assert zones == {"weight": 100, "podAffinityTerm": term}


def test_an_affinity_or_constraints_of_a_platform_replace_the_preferred_zones(render):
    own = {"nodeAffinity": {}}
    pod = render({"worker": {"affinity": own}}).one("StatefulSet")["spec"]["template"]["spec"]
    assert (pod["affinity"], len(pod["topologySpreadConstraints"])) == (own, 1)
    zones = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    pod = render({"worker": {"topologySpreadConstraints": [zones]}}).one("StatefulSet")["spec"]["template"]["spec"]
    assert "affinity" not in pod


def test_services_and_the_monitor_take_what_a_platform_adds(render):
    rendered = render(
        {
            "service": {"annotations": {"a": "1"}, "labels": {"l": "2"}},
            "monitoring": {
                "serviceAnnotations": {"prometheus.io/scrape": "true"},
                "serviceMonitor": {
                    "enabled": True,
                    "scrapeTimeout": "5s",
                    "relabelings": [{"targetLabel": "cluster", "replacement": "one"}],
                    "metricRelabelings": [{"action": "labeldrop", "regex": "pod_uid"}],
                },
            },
        }
    )
    ingress = rendered.one("Service", "-ingress")["metadata"]
    assert (ingress["annotations"], ingress["labels"]["l"]) == ({"a": "1"}, "2")
    assert rendered.one("Service", "-admin")["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}
    (endpoint,) = rendered.one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scrapeTimeout"] == "5s"
    assert endpoint["relabelings"] == [{"targetLabel": "cluster", "replacement": "one"}]
    assert endpoint["metricRelabelings"] == [{"action": "labeldrop", "regex": "pod_uid"}]


def route(rendered, name):
    (found,) = [one for one in rendered.of("HTTPRoute") if one["metadata"]["name"] == name]
    return found


def test_a_route_cuts_no_long_request_unless_its_values_say_so(render):
    on = {"enabled": True, "parentRefs": [{"name": "public"}]}
    console = {"enabled": True, "expose": {"httpRoute": on}}
    settings = {"console": {"public_url": "https://h.test", "trust_bearer": True}}
    both = render({"expose": {"httpRoute": on}, "console": console, "settings": settings})
    assert route(both, "prod-gateway")["spec"]["rules"][0]["timeouts"] == {"request": "0s"}
    assert "timeouts" not in route(both, "prod-gateway-console")["spec"]["rules"][0]
    timeouts = {"request": None, "backendRequest": "40s"}
    filters = [{"type": "ExtensionRef", "extensionRef": {"group": "g", "kind": "Limit", "name": "n"}}]
    values = on | {"timeouts": timeouts, "filters": filters, "annotations": {"a": "b"}}
    own = route(render({"expose": {"httpRoute": values}}), "prod-gateway")
    assert own["spec"]["rules"][0]["timeouts"] == {"backendRequest": "40s"}
    assert own["spec"]["rules"][0]["filters"] == filters
    assert own["metadata"]["annotations"] == {"a": "b"}


def test_jobs_and_the_pods_of_helm_test_run_where_the_values_say_and_without_a_sidecar(render):
    off = {"sidecar.istio.io/inject": "false"}
    placed = {
        "nodeSelector": {"pool": "jobs"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
    }
    values = {"projector": {"enabled": True}, "jobs": placed | {"podLabels": off, "podAnnotations": off}}
    kinds = set()
    for owner, labels, spec in render(values).pods():
        is_short = owner["kind"] in {"Job", "Pod"}
        metadata = owner["metadata"] if owner["kind"] == "Pod" else owner["spec"]["template"]["metadata"]
        assert (off.items() <= labels.items()) is is_short
        assert (off.items() <= metadata.get("annotations", {}).items()) is is_short
        assert (placed.items() <= spec.items()) is is_short
        kinds.add(owner["kind"])
    assert kinds >= {"Job", "Pod"}


def test_the_example_of_an_external_secret_has_the_keys_of_the_values():
    example = yaml.safe_load((CHART.parents[1] / "docs/examples/external-secret.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())["secrets"]
    keys = {value for value in values.values() if value and isinstance(value, str)}
    assert {one["secretKey"] for one in example["spec"]["data"]} == keys
