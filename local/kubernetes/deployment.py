"""Installs the chart as docs/deploy.md says: the namespace, the Secrets, the values, then Helm."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import helm_python

from local.kubernetes.inside import NODE_ADDRESS
from local.kubernetes.paths import Artifacts
from local.kubernetes.servers import USERS, Servers
from local.kubernetes.tools import NAMESPACE, Tools
from local.scene.settings import SETTINGS
from local.subscriptions import subscription_toml

RELEASE: Final = "gateway"
IMAGE: Final = "localhost/collate-gateway"
PARTITIONS: Final = 6
_RECEIVER: Final = "receiver"
PULL_REQUESTS: Final = {"cpu": "20m", "memory": "96Mi"}
_LABELS: Final = ("enforce", "warn")
_WATCH: Final = "GATEWAY_WATCH__"
_SLOWDOWN: Final = f"{_WATCH}MAX_SLOWDOWN"  # a number; the others are texts
# The name of `helm --wait`'s strategy in the library.
WAIT: Final = "watcher"


class Deployment:
    """One release, made of `artifacts`. `values` are those of the next `install`."""

    def __init__(self, tools: Tools, servers: Servers, artifacts: Artifacts, callers: str, collate_key: str) -> None:
        self._tools, self._servers, self.artifacts = tools, servers, artifacts
        self.collate_key = collate_key
        self.callers = callers
        self.phi_keys = f"{secrets.token_urlsafe(32)} {datetime.now(UTC):%Y-%m-%d}"
        self.values = self._values()

    @property
    def image(self) -> str:
        """The image of the pods."""
        return f"{IMAGE}:{self.artifacts.tag}"

    def prepare(self) -> None:
        """Create the namespace, with Pod Security `restricted`, and all Secrets."""
        self._tools.kubectl("create", "namespace", NAMESPACE)
        labels = [f"pod-security.kubernetes.io/{label}=restricted" for label in _LABELS]
        self._tools.kubectl("label", "namespace", NAMESPACE, *labels)
        receiver = self._servers.receiver
        self.write_secret(
            "gateway-secrets",
            {
                "collate-api-key": self.collate_key,
                "callers.toml": self.callers,
                "digest-key": secrets.token_urlsafe(32),
                "phi-keys": self.phi_keys,
                "cookie-key": secrets.token_urlsafe(32),
                "database-dsn": self._servers.dsn_of_pods,
                "subscriptions.toml": subscription_toml(
                    _RECEIVER,
                    receiver.url,
                    [f"/etc/gateway/secrets/{_RECEIVER}"],
                    allowed_networks=[f"{NODE_ADDRESS}/32"],
                ),
                _RECEIVER: receiver.secret,
            },
        )
        self.write_secret("kafka-cluster-ca", {"ca.crt": self._servers.kafka.ca_file.read_text()})
        for user in USERS:
            self.write_secret(f"kafka-gateway-{user}", {"password": self._servers.passwords[user]})

    def write_secret(self, name: str, content: Mapping[str, str]) -> None:
        """Create a Secret."""
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(content)}
        self._tools.kubectl("create", "--filename", "-", stdin=json.dumps(secret))

    def change_secret(self, name: str, content: Mapping[str, str]) -> None:
        """Replace some keys of a Secret."""
        self._tools.kubectl("patch", "secret", name, "--patch", json.dumps({"stringData": dict(content)}))

    def install(
        self, values: Mapping[str, Any] | None = None, *, seconds: int = 600, chart: Path | None = None
    ) -> None:
        """Install or upgrade the release and wait until it is ready. `values` are merged into the release's own."""
        merged, chart = merge(self.values, values or {}), chart or self.artifacts.chart
        with self._tools.helm() as helm:
            try:
                helm.status(RELEASE)
            except helm_python.HelmNotFoundError:
                helm.install(chart, RELEASE, merged, wait=WAIT, timeout=seconds)
            else:
                helm.upgrade(chart, RELEASE, merged, wait=WAIT, timeout=seconds)

    def test(self) -> str:
        """Run `helm test`; return the logs of its pods. Raises HelmError."""
        with self._tools.helm() as helm:
            return str(helm.test(RELEASE, timeout=300, logs=True)["logs"])

    def history(self) -> list[tuple[int, str]]:
        """Run `helm history`; return each revision with its status, oldest first."""
        with self._tools.helm() as helm:
            return [(int(release["revision"]), str(release["status"])) for release in helm.history(RELEASE)]

    def roll_back(self, revision: int) -> None:
        """Run `helm rollback` to a revision."""
        with self._tools.helm() as helm:
            helm.rollback(RELEASE, version=revision, wait=WAIT, timeout=600)

    def uninstall(self) -> None:
        """Run `helm uninstall`."""
        with self._tools.helm() as helm:
            helm.uninstall(RELEASE, wait=WAIT, timeout=300)

    def _values(self) -> dict[str, Any]:
        requests = {"resources": {"requests": PULL_REQUESTS}}
        processes = {
            user: {"kafka": {"username": f"gateway-{user}", "existingSecret": f"kafka-gateway-{user}"}} | requests
            for user in USERS
        }
        servers = [{"ipBlock": {"cidr": f"{NODE_ADDRESS}/32"}}]
        return {
            "image": {"repository": IMAGE, "tag": self.artifacts.tag, "pullPolicy": "Never"},
            "settings": {
                "environment": "local",
                "kafka": {"bootstrap": [self._servers.bootstrap_of_pods], "security": "SASL_SSL"},
                # One broker.
                "topics": {"partitions": PARTITIONS, "replication": 1, "min_insync": 1},
                "collate": {
                    "base_url": self._servers.collate.url,
                    "allow_plain_http": True,
                    "calls_per_second": 200,
                    "concurrency": 64,
                },
                # A judge waits until the gateway has read the last state of each authorization.
                "watch": {
                    name.removeprefix(_WATCH).lower(): float(value) if name == _SLOWDOWN else value
                    for name, value in SETTINGS.items()
                    if name.startswith(_WATCH)
                },
                "console": {"public_url": "http://127.0.0.1:8090", "key_sign_in": True},
            },
            "secrets": {"existingSecret": "gateway-secrets", "webhookFiles": [_RECEIVER]},
            "kafka": {"caExistingSecret": "kafka-cluster-ca", "files": {"ca": "ca.crt", "password": "password"}},
            "ingress": processes["ingress"],
            "worker": processes["worker"] | {"replicas": 2},
            "projector": processes["projector"] | {"enabled": True},
            "deliverer": processes["deliverer"] | {"enabled": True},
            "topics": processes["topics"],
            "console": {"enabled": True} | requests,
            "networkPolicy": {
                "database": {"to": servers},
                "webhooks": {"to": servers, "ports": [self._servers.receiver.port]},
            },
        }


def merge(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others over them, maps key by key, as Helm merges files of values."""
    merged = dict(values)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
