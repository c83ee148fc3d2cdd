"""For all tried values, every object is valid for Kubernetes, and the objects fit together."""

import itertools

from cli.app import VERBS

OF_OPERATORS = {"ServiceMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}


def test_every_object_is_valid(rendered, validate):
    for one in rendered:
        if one["kind"] not in OF_OPERATORS:
            validate(one)


def test_names_are_unique_and_short_enough(rendered):
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 for _, name in names)


def test_every_file_that_a_setting_names_is_mounted(rendered):
    for owner, _, spec in rendered.pods():
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for container in spec["containers"]:
            mounted = set()
            for mount in container["volumeMounts"]:
                volume = volumes[mount["name"]]
                if "configMap" in volume:  # of extraVolumes
                    continue
                sources = [volume["secret"]] if "secret" in volume else volume["projected"]["sources"]
                for source in sources:
                    own_token = [source["serviceAccountToken"]] if "serviceAccountToken" in source else []
                    items = source.get("items") or source.get("secret", {}).get("items") or own_token
                    mounted |= {f"{mount['mountPath']}/{item['path']}" for item in items}
            ours = [one for one in container["env"] if one["name"].startswith("GATEWAY_")]
            files = {one["value"] for one in ours if one["name"].endswith("_FILE")}
            assert files == mounted, owner["metadata"]["name"]


def test_each_selector_matches_its_own_pods_only(rendered):
    pods = [(labels, owner) for owner, labels, _ in rendered.pods()]

    def found(selector):
        return {
            owner["metadata"]["name"].rsplit("-", 1)[0 if owner["kind"] == "Pod" else 1]
            for labels, owner in pods
            if selector.items() <= labels.items() and owner["kind"] in {"Deployment", "StatefulSet"}
        }

    def kinds(selector):
        return {owner["kind"] for labels, owner in pods if selector.items() <= labels.items()}

    assert found(rendered.one("Service", "-ingress")["spec"]["selector"]) == {"ingress"}
    assert kinds(rendered.one("Service", "-ingress")["spec"]["selector"]) == {"Deployment"}
    assert found(rendered.one("Service", "-worker")["spec"]["selector"]) == {"worker"}
    assert found(rendered.one("Service", "-admin")["spec"]["selector"]) >= {"ingress", "worker"}
    for budget in rendered.of("PodDisruptionBudget"):
        assert len(found(budget["spec"]["selector"]["matchLabels"])) == 1
    policies = rendered.of("NetworkPolicy")
    if policies:
        covered = [policy["spec"]["podSelector"]["matchLabels"] for policy in policies]
        for labels, owner in pods:
            assert any(selector.items() <= labels.items() for selector in covered), owner["metadata"]["name"]


def test_the_gateway_accepts_the_environment(rendered, tmp_path, monkeypatch):
    """Every setting of the chart is known, and no two contradict each other."""
    from runtime.settings import load as runtime_settings  # noqa: PLC0415 - only this test needs it

    monkeypatch.setattr(runtime_settings, "file_problem", lambda _: None)
    load = {
        "ingress": lambda environ: runtime_settings.load_settings(environ, "ingress"),
        "worker": lambda environ: runtime_settings.load_settings(environ, "worker"),
        "projector": lambda environ: runtime_settings.load_process_settings(environ, "projector"),
        "deliverer": runtime_settings.load_deliverer_settings,
        "console": runtime_settings.load_console_settings,
        "topics": runtime_settings.load_cluster_settings,
        "promises": runtime_settings.load_cluster_settings,
        "migrate": lambda environ: runtime_settings.load_process_settings(environ, "migrate"),
    }
    for owner, labels, spec in rendered.pods():
        if owner["kind"] == "Pod":
            continue
        own = {one["name"]: one.get("value", "prod-gateway-worker-0") for one in spec["containers"][0]["env"]}
        load[labels["app.kubernetes.io/component"]](own)


def test_every_command_of_a_container_exists(rendered):
    """The command line has each verb and option that a container uses."""
    for _, _, spec in rendered.pods():
        words = itertools.takewhile(lambda word: not word.startswith("-"), spec["containers"][0]["args"])
        assert " ".join(words) in VERBS


def test_two_projectors_never_run_together_in_an_upgrade(render):
    strategy = render({"projector": {"enabled": True}}).one("Deployment", "-projector")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
