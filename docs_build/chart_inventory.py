"""The inventory and network map of docs/compliance.md: the pods and NetworkPolicies of the chart with all parts on."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

from docs_build.markdown import table

CHART: Final = Path(__file__).parents[1] / "helm" / "gateway"
_Object = Mapping[str, Any]
_COMPONENT: Final = "app.kubernetes.io/component"
# The chart opens a destination only with the setting that needs it.
_SETTINGS: Final = {
    "environment": "production",
    "kafka": {"bootstrap": ["kafka:9093"], "security": "SASL_SSL", "oauth_url": "https://id.example/token"},
    "collate": {"base_url": "https://collate.example"},
    "console": {
        "public_url": "https://handoffs.example",
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "console",
    },
    "traces": {"endpoint": "http://collector:4318/v1/traces"},
}
_DESTINATIONS: Final = ("kafka", "oauth", "collate", "database", "webhooks", "issuers", "otlp")
_PEERS: Final = ("callers", "browsers", "monitoring")


def part() -> str:
    """Return the table."""
    objects = list(_rendered())
    policies = {one["spec"]["podSelector"]["matchLabels"][_COMPONENT]: one for one in objects if _is_policy(one)}
    head = ("part", "runs as", "files of Secrets", "accepts", "sends to")
    return table(head, (_row(one, template, policies) for one, template in _pods(objects)))


def _rendered() -> Iterator[_Object]:
    named: dict[str, Any] = {name: {"to": [_peer(name)]} for name in _DESTINATIONS}
    named |= {name: [_peer(name)] for name in _PEERS}
    named["issuers"]["ports"] = [443]
    values = {
        "settings": _SETTINGS,
        "secrets": {"existingSecret": "gateway"},
        "tests": {"enabled": False},
        "kafka": {"files": {"ca": "ca.crt", "password": "password"}},
        "networkPolicy": named,
        **{name: {"enabled": True} for name in ("projector", "deliverer", "console", "promises")},
    }
    with helm_python.Chart.load(CHART) as chart:
        manifests = chart.render(values, name="gateway", namespace="gateway")
    for name, text in manifests.items():
        if name.endswith(".yaml"):
            yield from (one for one in yaml.safe_load_all(text) if one)


def _peer(name: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {_COMPONENT: f"`{name}`"}}}


def _is_policy(one: _Object) -> bool:
    return bool(one["kind"] == "NetworkPolicy")


def _pods(objects: list[_Object]) -> Iterator[tuple[_Object, _Object]]:
    for one in objects:
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
        if "containers" in template.get("spec", {}):
            yield one, template


def _row(one: _Object, template: _Object, policies: Mapping[str, _Object]) -> tuple[str, ...]:
    name = template["metadata"]["labels"][_COMPONENT]
    policy = policies[name]["spec"]
    return (
        name,
        f"{one['kind']}, {one['spec'].get('replicas', 1)}",
        ", ".join(sorted(set(_secrets(template["spec"].get("volumes", ()))))),
        "; ".join(_rule(rule, "from") for rule in policy["ingress"]) or "nothing",
        ", ".join(_rule(rule, "to") for rule in policy["egress"] if "to" in rule),
    )


def _secrets(volumes: Iterable[_Object]) -> Iterator[str]:
    for volume in volumes:
        for source in (volume, *volume.get("projected", {}).get("sources", ())):
            yield from (f"`{item['key']}`" for item in source.get("secret", {}).get("items", ()))


def _rule(rule: _Object, peers: str) -> str:
    names = ", ".join(peer["podSelector"]["matchLabels"][_COMPONENT] for peer in rule[peers])
    return f"{names} ({', '.join(str(port['port']) for port in rule['ports'])})"
