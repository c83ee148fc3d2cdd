"""A real Prometheus with the chart's rules, which scrapes the gateway's processes of this machine."""

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from local.failures import StartFailed
from local.installation import http_here
from local.processes.patience import Patience
from local.processes.ports import free_ports
from tests.alerts.__main__ import rendered_rules
from tests.alerts.promtool import program

READY_WITHIN_SECONDS = 60
STOPPED_WITHIN_SECONDS = 30
POLL_SECONDS = 0.05
_CONFIGURATION = {
    # A scrape takes a process up to 20 ms of processor time, and on a busy machine more than a second.
    "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
    "rule_files": ["rules.yaml"],
    "scrape_configs": [
        {
            "job_name": "prod-gateway-admin",
            "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
        }
    ],
}


class Prometheus(AbstractContextManager["Prometheus"]):
    """`with Prometheus() as prometheus:` serves at `url`. Its only job and namespace are those of the chart's rules."""

    def __init__(self, rules: Mapping[str, Any] | None = None, alertmanager: str | None = None) -> None:
        """`rules` replace those of the chart with the values of the tests; `alertmanager` is host and port."""
        self._rules = rules or rendered_rules()
        self._alertmanagers = [] if alertmanager is None else [{"static_configs": [{"targets": [alertmanager]}]}]

    def __enter__(self) -> Self:
        """Start the server. Raises NoPromtool if there is none."""
        self._temporary = tempfile.TemporaryDirectory()
        self._directory = directory = Path(self._temporary.name)
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.scrape({})
        (directory / "rules.yaml").write_text(yaml.safe_dump(self._rules))
        (directory / "prometheus.yaml").write_text(
            yaml.safe_dump(_CONFIGURATION | {"alerting": {"alertmanagers": self._alertmanagers}})
        )
        self._process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={directory / 'prometheus.yaml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ],
            cwd=directory,
        )
        patience = Patience(READY_WITHIN_SECONDS)
        while not self._is_ready():
            if patience.is_over or self._process.poll() is not None:
                raise StartFailed("Prometheus did not start.")
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and delete what it recorded."""
        self._process.terminate()
        self._process.wait(STOPPED_WITHIN_SECONDS)
        self._temporary.cleanup()

    def scrape(self, admin_urls: Mapping[str, str]) -> None:
        """Replace the processes, by the name of their pod: those that are left out exist no longer."""
        targets = [
            {"targets": [url.removeprefix("http://")], "labels": {"namespace": "payers", "pod": pod}}
            for pod, url in admin_urls.items()
        ]
        (self._directory / "new.json").write_text(json.dumps(targets))
        (self._directory / "new.json").replace(self._directory / "targets.json")

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and firing alerts: labels, annotations, state, activeAt."""
        found: list[dict[str, Any]] = self._get("alerts")["alerts"]
        return found

    def values(self, query: str) -> dict[str, float]:
        """Return the current values of a query by pod."""
        found = self._get("query", query=query)["result"]
        return {one["metric"].get("pod", ""): float(one["value"][1]) for one in found}

    def labels(self, query: str) -> list[dict[str, str]]:
        """Return the labels of the current values of a query, without its name."""
        found = self._get("query", query=query)["result"]
        return [{name: value for name, value in one["metric"].items() if name != "__name__"} for one in found]

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        with http_here() as http:
            answer = http.get(f"{self.url}/api/v1/{what}", params=parameters).raise_for_status()
            data: dict[str, Any] = answer.json()["data"]
            return data

    def _is_ready(self) -> bool:
        with http_here() as http:
            try:
                return http.get(f"{self.url}/-/ready").is_success
            except httpx.TransportError:
                return False
