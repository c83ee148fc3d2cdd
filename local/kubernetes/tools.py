"""kubectl as a person calls it, and Helm: its own library, from the package that also renders the chart in tests."""

import os
import ssl
import subprocess
from pathlib import Path
from typing import Any

import helm_python
import httpx

from local.failures import LocalError
from local.kubernetes.control_plane import URL, ControlPlane

NAMESPACE = "gateway"
COMMAND_WITHIN_SECONDS = 900.0


class CommandFailed(LocalError):
    """A command of kubectl failed. The message has its output."""


class Tools:
    """Runs kubectl and Helm with an administrator's login."""

    def __init__(self, programs: Path, plane: ControlPlane, home: Path) -> None:
        kubeconfig = plane.kubeconfig
        self._http = httpx.Client(
            base_url=URL,
            headers={"Authorization": f"Bearer {plane.token}"},
            verify=ssl.create_default_context(cafile=plane.ca),
            trust_env=False,
            timeout=20,
        )
        self._programs, self._kubeconfig = programs, kubeconfig
        self.environ = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(home),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in the gateway's namespace."""
        return self.run("kubectl", "--namespace", NAMESPACE, *arguments, stdin=stdin)

    def helm(self) -> helm_python.Config:
        """Return Helm's own library, in the gateway's namespace. The caller closes it."""
        return helm_python.Config(kubeconfig_path=self._kubeconfig, namespace=NAMESPACE)

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods. A request of our own: starting kubectl each second would cost more than the cluster."""
        listed: list[dict[str, Any]] = self._get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        return listed

    def wanted_pods(self) -> int:
        """Return how many pods the Deployments and StatefulSets want."""
        kinds = ("deployments", "statefulsets")
        owners = [item for kind in kinds for item in self._get(f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind}")["items"]]
        return sum(item["spec"]["replicas"] for item in owners)

    def service_address(self, name: str) -> str:
        """Return the address of a Service inside the cluster."""
        return str(self._get(f"/api/v1/namespaces/{NAMESPACE}/services/{name}")["spec"]["clusterIP"])

    def _get(self, path: str) -> Any:
        response = self._http.get(path)
        response.raise_for_status()
        return response.json()

    def run(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        """Run a program of the cluster. Raises CommandFailed."""
        done = subprocess.run(
            [self._programs / program, *arguments],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_SECONDS,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(
                f"{program} {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done.stdout
