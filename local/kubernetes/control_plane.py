"""etcd, the API server, the controllers and the scheduler, with the logins of everything that calls the API server."""

import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.kafka.secured import Authority
from local.kubernetes.inside import NODE_ADDRESS, POD_NETWORK
from local.processes.logs import failure
from local.processes.run import Run

PORT: Final = 6443
URL: Final = f"https://{NODE_ADDRESS}:{PORT}"
SERVICE_NETWORK: Final = "10.96.0.0/24"
READY_WITHIN_SECONDS: Final = 120.0
_ETCD: Final = "http://127.0.0.1:2379"
_KUBECONFIG: Final = """apiVersion: v1
kind: Config
clusters: [{{name: local, cluster: {{server: "{url}", certificate-authority: {ca}}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
contexts: [{{name: local, context: {{cluster: local, user: admin}}}}]
current-context: local
"""


class ControlPlane:
    """Starts the processes; `kubeconfig` has the address and the login of an administrator."""

    def __init__(self, run: Run, programs: Path, addresses: Sequence[str] = ()) -> None:
        """`addresses` are further ones by which clients call the API server."""
        self._run, self._programs = run, programs
        self.directory = run.directory / "control-plane"
        self.directory.mkdir()
        self.token = secrets.token_urlsafe(32)
        authority = Authority("cluster authority")
        self.ca = authority.write(self.directory / "ca.crt")
        names = ["10.96.0.1", NODE_ADDRESS, "127.0.0.1", *addresses]
        authority.issue("apiserver", self.directory / "api.crt", self.directory / "api.key", addresses=names)
        key = rsa.generate_private_key(65_537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        self._write("accounts.key", key.decode())
        self._write("tokens.csv", f"{self.token},admin,admin,system:masters\n")
        self.kubeconfig = self.write_kubeconfig("kubeconfig", URL)

    def write_kubeconfig(self, name: str, url: str) -> Path:
        """Write a kubeconfig of an administrator for one of the API server's addresses."""
        return self._write(name, _KUBECONFIG.format(url=url, ca=self.ca, token=self.token))

    def start(self) -> None:
        """Start all processes, and return when the API server is ready. Raises StartFailed."""
        at = self.directory
        self._spawn(
            "etcd",
            [
                "etcd",
                f"--data-dir={at}/etcd",
                f"--listen-client-urls={_ETCD}",
                f"--advertise-client-urls={_ETCD}",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--logger=zap",
                "--unsafe-no-fsync",
            ],
        )
        server = self._spawn(
            "kube-apiserver",
            [
                self._programs / "kube-apiserver",
                f"--etcd-servers={_ETCD}",
                f"--service-account-key-file={at}/accounts.key",
                f"--service-account-signing-key-file={at}/accounts.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--tls-cert-file={at}/api.crt",
                f"--tls-private-key-file={at}/api.key",
                f"--token-auth-file={at}/tokens.csv",
                "--authorization-mode=RBAC",
                "--anonymous-auth=false",
                f"--secure-port={PORT}",
                "--bind-address=0.0.0.0",
                f"--advertise-address={NODE_ADDRESS}",
                f"--service-cluster-ip-range={SERVICE_NETWORK}",
                "--allow-privileged=true",
                "--kubelet-preferred-address-types=InternalIP",
            ],
        )
        self._await_ready(server)
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"]
        self._spawn(
            "kube-controller-manager",
            [
                self._programs / "kube-controller-manager",
                *common,
                f"--service-account-private-key-file={at}/accounts.key",
                f"--root-ca-file={self.ca}",
                "--controllers=*",
                # A node that stops is one of the cases: five minutes would be long.
                "--node-monitor-grace-period=20s",
                f"--cluster-cidr={POD_NETWORK}",
            ],
        )
        self._spawn("kube-scheduler", [self._programs / "kube-scheduler", *common])

    def _await_ready(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        context = ssl.create_default_context(cafile=self.ca)
        request = urllib.request.Request(f"{URL}/readyz", headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        while True:
            try:
                opener.open(request, timeout=5).close()
            except (OSError, urllib.error.HTTPError) as missing:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise failure("kube-apiserver", f"it is not ready: {missing}", self.logs()) from missing
                time.sleep(0.2)
            else:
                return

    def logs(self) -> list[Path]:
        """Return the logs of all processes."""
        return sorted(self.directory.glob("*.log"))

    def _spawn(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        return self._run.spawn(command, log=self.directory / f"{name}.log")

    def _write(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path
