"""The deliverer in the chart: off by default; its pods, files, environment and network."""

ON = {"deliverer": {"enabled": True}}


def environ_of(pod):
    return {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}


def test_it_is_off_by_default(render):
    assert "deliverer" not in str([one["metadata"]["name"] for one in render({})])


def test_its_pods_have_stable_names_and_read_the_subscriptions_file(render):
    rendered = render(ON | {"secrets": {"webhookFiles": ["billing", "billing-new"]}})
    owner = rendered.one("StatefulSet", "-deliverer")
    pod = owner["spec"]["template"]["spec"]
    assert owner["spec"]["serviceName"] == "prod-gateway-deliverer"
    assert rendered.one("Service", "-deliverer")["spec"]["clusterIP"] == "None"
    assert pod["containers"][0]["args"] == ["deliverer"]
    environ = environ_of(pod)
    assert environ["GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE"] == "/etc/gateway/secrets/subscriptions.toml"
    assert "GATEWAY_DELIVERER__INSTANCE" in environ
    assert not {name for name in environ if name.startswith(("GATEWAY_COLLATE", "GATEWAY_READMODEL"))}
    (secrets,) = [one["secret"] for one in pod["volumes"] if one["name"] == "secrets"]
    assert [one["key"] for one in secrets["items"]] == ["subscriptions.toml", "billing", "billing-new"]
    assert rendered.one("PodDisruptionBudget", "-deliverer")


def test_the_job_for_topics_gets_the_file_and_no_signing_secret(render):
    rendered = render(ON | {"secrets": {"webhookFiles": ["billing"]}})
    (job,) = [one for one in rendered.of("Job") if "-topics-" in one["metadata"]["name"]]
    pod = job["spec"]["template"]["spec"]
    assert environ_of(pod)["GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE"] == "/etc/gateway/secrets/subscriptions.toml"
    (secrets,) = [one["secret"] for one in pod["volumes"] if one["name"] == "secrets"]
    assert [one["key"] for one in secrets["items"]] == ["subscriptions.toml"]


def test_a_new_revision_runs_the_job_again(render):
    def name(values):
        return [one["metadata"]["name"] for one in render(ON | values).of("Job")]

    assert name({}) == name({})
    assert name({"topics": {"revision": "billing"}}) != name({})


def test_no_other_process_knows_its_settings(render):
    rendered = render(ON | {"settings": {"deliverer": {"group": "another"}}})
    for _, labels, pod in rendered.pods():
        own = {name for name in environ_of(pod) if name.startswith("GATEWAY_DELIVERER__")}
        own -= {"GATEWAY_DELIVERER__ADMIN_URLS"} if labels["app.kubernetes.io/component"] == "ingress" else set()
        is_its = labels["app.kubernetes.io/component"] == "deliverer" or pod["containers"][0]["args"][-1] == "deliverer"
        assert ("GATEWAY_DELIVERER__GROUP" in own) == is_its


def test_it_may_reach_kafka_and_receivers_and_neither_collate_nor_the_database(render):
    receivers = [{"ipBlock": {"cidr": "203.0.113.0/24"}}]
    rendered = render(ON | {"networkPolicy": {"webhooks": {"to": receivers, "ports": [443, 8443]}}})
    egress = rendered.one("NetworkPolicy", "-deliverer")["spec"]["egress"]
    assert [port["port"] for rule in egress for port in rule["ports"]] == [53, 53, 9093, 443, 8443]
    assert egress[-1]["to"] == receivers
    assert "networkPolicy.webhooks.to" not in rendered.notes
    assert "networkPolicy.webhooks.to" in render(ON).notes


def test_ingress_reads_the_state_of_every_deliverer(render):
    monitoring = [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
    rendered = render({"deliverer": {"enabled": True, "replicas": 2}, "networkPolicy": {"monitoring": monitoring}})
    pod = rendered.one("Deployment", "-ingress")["spec"]["template"]["spec"]
    assert environ_of(pod)["GATEWAY_DELIVERER__ADMIN_URLS"] == ",".join(
        f"http://prod-gateway-deliverer-{number}.prod-gateway-deliverer:9090" for number in range(2)
    )
    egress = rendered.one("NetworkPolicy", "-ingress")["spec"]["egress"]
    assert 9090 in [port["port"] for rule in egress for port in rule["ports"]]
    (rule,) = rendered.one("NetworkPolicy", "-deliverer")["spec"]["ingress"]
    assert rule["from"][0] == monitoring[0]
    assert rule["from"][1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "ingress"


def test_helm_test_checks_it(render):
    (pod,) = [one for one in render(ON).of("Pod") if one["metadata"]["name"].endswith("-test-deliverer")]
    assert pod["spec"]["containers"][0]["args"] == ["check", "--for", "deliverer"]
