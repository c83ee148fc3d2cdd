"""Ten rules by which strict clusters admit objects. The chart keeps each of them for all tried values."""

import re

LASTING = {"Deployment", "StatefulSet"}
CALLABLE = {"ingress", "console"}
TAG_OR_DIGEST = re.compile(r"^[^:@]+(:(?!latest$)[\w.-]+)?(@sha256:[0-9a-f]{64})?$")


def lasting(rendered):
    for owner, labels, spec in rendered.pods():
        if owner["kind"] in LASTING:
            yield owner, labels["app.kubernetes.io/component"], spec


def test_1_an_image_has_a_version_or_a_digest(rendered):
    for _, _, spec in rendered.pods():
        for container in spec["containers"]:
            assert TAG_OR_DIGEST.match(container["image"]), container["image"]
            assert ":" in container["image"].rpartition("/")[2]


def test_2_pods_have_an_account_of_their_own_and_no_token(rendered):
    own = {one["metadata"]["name"] for one in rendered.of("ServiceAccount")} or {"default"}
    assert all(one["automountServiceAccountToken"] is False for one in rendered.of("ServiceAccount"))
    for _, _, spec in rendered.pods():
        assert spec["serviceAccountName"] in own
        assert spec["automountServiceAccountToken"] is False
        # Service links would add GATEWAY_… variables for a Service of that name, and the gateway refuses unknown ones.
        assert spec["enableServiceLinks"] is False


def test_3_lasting_containers_have_three_different_probes_on_a_declared_port(rendered):
    for _, _, spec in lasting(rendered):
        for container in spec["containers"]:
            probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
            assert len({probe["path"] for probe in probes}) == 3
            assert {probe["port"] for probe in probes} <= {port["name"] for port in container["ports"]}


def test_4_every_container_declares_its_resources(rendered):
    for _, _, spec in rendered.pods():
        for container in spec["containers"]:
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            # A CPU limit throttles an event loop, and a throttled worker loses its membership.
            assert "cpu" not in container["resources"]["limits"]


def test_5_containers_are_confined_and_their_root_is_read_only(rendered):
    for _, _, spec in rendered.pods():
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"].get("runAsUser", 10001) == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True


def test_6_pods_share_nothing_with_their_node(rendered):
    for _, _, spec in rendered.pods():
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
        assert all(volume.keys() - {"name"} <= {"secret", "projected", "configMap"} for volume in spec["volumes"])
        for container in spec["containers"]:
            assert all("hostPort" not in port for port in container.get("ports", ()))


def test_7_secrets_are_only_files_that_follow_their_secret(rendered):
    for owner, _, spec in rendered.pods():
        for container in spec["containers"]:
            assert not [one for one in container["env"] if "secretKeyRef" in one.get("valueFrom", {})]
            assert all("secretRef" not in source for source in container.get("envFrom", ()))
            assert all("subPath" not in mount for mount in container["volumeMounts"]), owner["metadata"]["name"]
    assert rendered.of("Secret") == []


def test_8_callable_pods_are_spread_and_a_budget_keeps_ready_ones_alone(rendered):
    budgets = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in rendered.of("PodDisruptionBudget")
    }
    for owner, component, spec in lasting(rendered):
        assert {one["topologyKey"] for one in spec["topologySpreadConstraints"]}
        if owner["spec"].get("replicas", 2) > 1 or component in CALLABLE:
            # Without AlwaysAllow no node can be drained while Kafka is away: no pod is ready then.
            assert budgets[component]["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
            assert budgets[component]["spec"]["selector"] == owner["spec"]["selector"]


def test_9_every_object_has_the_recommended_labels(rendered):
    wanted = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "managed-by")} | {"helm.sh/chart"}
    for one in rendered:
        if "not-ours" not in one["metadata"]["name"]:
            assert one["metadata"]["labels"].keys() >= wanted, one["metadata"]["name"]
    assert all(labels.keys() >= wanted for _, labels, _ in rendered.pods())


def test_10_a_job_ends_and_stays_until_helm_removes_it(rendered):
    for job in rendered.of("Job"):
        assert job["spec"]["activeDeadlineSeconds"] >= 3900
        assert job["spec"]["backoffLimit"] <= 10
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        assert "ttlSecondsAfterFinished" not in job["spec"] or job["spec"]["ttlSecondsAfterFinished"] == 600
