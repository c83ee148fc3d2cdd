"""A real Prometheus with the chart's rules, which scrapes the gateway's processes of this machine every second."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import yaml

from local.installation import http_here
from local.processes.ports import free_ports
from tests.alerts.__main__ import rendered_rules
from tests.alerts.promtool import program

STOPPED_WITHIN_SECONDS = 30


class Prometheus(AbstractContextManager["Prometheus"]):
    """`with Prometheus() as prometheus:` serves at `url`. Its only job and namespace are those of the chart's rules."""

    def __enter__(self) -> Self:
        """Start the server. Raises NoPromtool if there is none."""
        self._temporary = tempfile.TemporaryDirectory()
        self._directory = directory = Path(self._temporary.name)
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.scrape({})
        (directory / "rules.yaml").write_text(yaml.safe_dump(rendered_rules()))
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(_configuration()))
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
        with http_here() as http:
            found: list[dict[str, Any]] = (
                http.get(f"{self.url}/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
            )
            return found


def _configuration() -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": "prod-gateway-admin",
                "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
            }
        ],
    }
