"""Network policies: what may pass, and what the notes say about it."""

import pytest


def allowed_ports(rendered, component):
    policy = rendered.one("NetworkPolicy", f"-{component}")
    return [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]


def test_egress_is_limited_to_the_needed_destinations(render):
    rendered = render({"projector": {"enabled": True}})
    dns, kafka, collate, database = [53, 53], [9093], [443], [5432]
    assert allowed_ports(rendered, "worker") == dns + kafka + collate
    assert allowed_ports(rendered, "ingress") == dns + kafka + collate + database
    assert allowed_ports(rendered, "projector") == dns + kafka + database
    assert allowed_ports(rendered, "topics") == dns + kafka
    assert allowed_ports(rendered, "migrate") == dns + database
    assert rendered.one("NetworkPolicy", "-topics")["spec"]["ingress"] == []


def test_egress_of_spans_is_allowed_if_traces_are_on(render):
    traces = {"settings": {"traces": {"endpoint": "http://collector:4318/v1/traces"}}, "projector": {"enabled": True}}
    rendered = render(traces)
    assert [4318 in allowed_ports(rendered, one) for one in ("ingress", "worker", "projector")] == [True, True, False]
    narrow = {
        "networkPolicy": {"otlp": {"to": [{"podSelector": {"matchLabels": {"app": "collector"}}}], "ports": [4317]}}
    }
    assert 4317 not in allowed_ports(render(narrow), "worker")
    assert 4317 in allowed_ports(render(traces | narrow), "worker")


def test_ports_follow_the_settings(render):
    rendered = render(
        {
            "settings": {
                "kafka": {"bootstrap": "a:19092, b:19093", "oauth_url": "https://id.test:8443/token"},
                "collate": {"base_url": "https://collate.test:9443/v"},
            }
        }
    )
    assert allowed_ports(rendered, "worker") == [53, 53, 19092, 19093, 8443, 9443]


def test_callers_may_reach_http_and_monitoring_may_reach_the_admin_port(render):
    peers = {"callers": [{"podSelector": {"matchLabels": {"a": "b"}}}], "monitoring": [{"namespaceSelector": {}}]}
    rules = render({"networkPolicy": peers}).one("NetworkPolicy", "-ingress")["spec"]["ingress"]
    assert rules == [
        {"ports": [{"protocol": "TCP", "port": "http"}], "from": peers["callers"]},
        {"ports": [{"protocol": "TCP", "port": "admin"}], "from": peers["monitoring"]},
    ]


def test_notes_say_what_the_network_policies_leave_open(render):
    text = render({"projector": {"enabled": True}}).notes
    assert "WARNING: the NetworkPolicies leave open what has no peers yet:" in text
    for name in ("callers", "monitoring", "kafka.to", "collate.to", "database.to"):
        assert f"(networkPolicy.{name})" in text
    assert "networkPolicy.otlp.to" not in text
    assert "networkPolicy.enabled is false" in render({"networkPolicy": {"enabled": False}}).notes
    peers = [{"podSelector": {}}]
    closed = {"callers": peers, "monitoring": peers, "kafka": {"to": peers}, "collate": {"to": peers}}
    assert "WARNING" not in render({"networkPolicy": closed}).notes


@pytest.mark.parametrize(
    ("settings", "policy", "value"),
    [
        ({"traces": {"endpoint": "http://c:4318/v1/traces"}}, {}, "otlp"),
        ({"kafka": {"oauth_url": "https://id.test/token"}}, {}, "oauth"),
        ({}, {"issuers": {"ports": [443]}}, "issuers"),
    ],
)
def test_notes_name_an_optional_destination_until_it_has_peers(render, settings, policy, value):
    peers = {value: {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]} | policy.get(value, {})}
    assert f"networkPolicy.{value}.to" in render({"settings": settings, "networkPolicy": policy}).notes
    assert f"networkPolicy.{value}.to" not in render({"settings": settings, "networkPolicy": peers}).notes


def test_a_proxy_is_the_allowed_destination_of_the_calls_that_go_through_it(render):
    proxies = {"collate": {"proxy": "http://p.test:3128"}, "ingress": {"jwks_proxy": "http://p.test:3129"}}
    rendered = render({"settings": proxies})
    assert allowed_ports(rendered, "worker") == [53, 53, 9093, 3128]
    assert allowed_ports(rendered, "ingress") == [53, 53, 9093, 3128, 3129]


def test_the_console_reaches_the_api_and_the_issuer_and_the_api_admits_it(render):
    values = {
        "console": {"enabled": True},
        "settings": {"console": {"public_url": "https://h.test", "oidc_issuer": "https://login.test:8443"}},
        "networkPolicy": {"callers": [{"namespaceSelector": {}}], "browsers": [{"podSelector": {}}]},
    }
    rendered = render(values)
    assert allowed_ports(rendered, "console") == [53, 53, 8080, 8443]
    peers = rendered.one("NetworkPolicy", "-ingress")["spec"]["ingress"][0]["from"]
    assert peers[0] == {"namespaceSelector": {}}
    assert peers[1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "console"
    assert peers[2]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    assert allowed_ports(rendered, "test")[-2:] == [8080, 8443]
    assert (
        len(
            render(values | {"tests": {"enabled": False}}).one("NetworkPolicy", "-ingress")["spec"]["ingress"][0][
                "from"
            ]
        )
        == 2
    )
    assert rendered.one("NetworkPolicy", "-console")["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]


def test_the_console_has_no_login_of_kafka_and_no_key_of_collate(render):
    values = {
        "console": {"enabled": True},
        "settings": {
            "kafka": {"security": "SASL_SSL"},
            "console": {"public_url": "https://h.test", "trust_bearer": True},
        },
        "kafka": {"username": "u", "files": {"ca": "ca.crt", "password": "password"}},
    }
    pod = render(values).one("Deployment", "-console")["spec"]["template"]["spec"]
    names = {one["name"] for one in pod["containers"][0]["env"]}
    assert [volume["name"] for volume in pod["volumes"]] == ["secrets"]
    assert [item["key"] for item in pod["volumes"][0]["secret"]["items"]] == ["cookie-key"]
    assert not [name for name in names if "KAFKA" in name or "COLLATE" in name]
    assert "GATEWAY_CONSOLE__PUBLIC_URL" not in render(values).environment("ingress")
