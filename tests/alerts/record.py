"""Records a chaos run for the picture of the dashboard: `python -m tests.alerts.record --seconds 120 --seed 7`.

A real Prometheus scrapes the processes of `make chaos` every second and evaluates the chart's recording rules. When the
run ends, the query of each panel is asked for the time of the faults. The answers are written to
docs/images/dashboard.json, from which `make docs` draws docs/images/dashboard.svg.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from docs_build.dashboard.grafana import expression
from docs_build.dashboard.panels import ROWS
from local.installation import http_here
from tests.alerts.prometheus import Prometheus

OUTPUT = Path(__file__).parents[2] / "docs" / "images" / "dashboard.json"
SELECTED = 'namespace="payers", job="prod-gateway-admin"'
VERBS = {"ingress", "worker", "projector"}
MOST_SERIES = 6
POINTS = 80


def main() -> int:
    """Run the chaos run under a Prometheus; return the exit code of the chaos run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    with Prometheus() as prometheus:
        command = [sys.executable, "-m", "tests.chaos.gateway_run", "--read-model", "--seconds", str(wanted.seconds)]
        chaos = subprocess.Popen([*command, "--seed", str(wanted.seed)])
        try:
            began = ended = None
            while chaos.poll() is None:
                targets = _targets(chaos.pid)
                prometheus.scrape(targets)
                # Two ingresses, three workers and a projector: the load begins about now.
                began = began or (time.time() if len(targets) >= 6 else None)
                ended = time.time() if began and time.time() - began <= wanted.seconds else ended
                time.sleep(1)
            if began is None or ended is None:
                return 1
            _write(_recorded(prometheus.url, began, ended), wanted)
            return chaos.returncode
        finally:
            chaos.terminate()
            chaos.wait(30)


def _targets(pid: int) -> dict[str, str]:
    found = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                environ, words = process.environ(), process.cmdline()
                if words and words[-1] in VERBS and "GATEWAY_ADMIN__PORT" in environ:
                    port = environ["GATEWAY_ADMIN__PORT"]
                    found[environ.get("GATEWAY_WORKER__INSTANCE", words[-1])] = f"http://127.0.0.1:{port}"
    return found


def _recorded(url: str, began: float, ended: float) -> dict[str, Any]:
    """Return the series of each panel by its title: legend and values, at POINTS moments."""
    step = max(1.0, (ended - began) / POINTS)
    panels = {}
    with http_here() as http:
        for panel in (panel for row in ROWS for panel in row.panels):
            series: list[dict[str, Any]] = []
            for query, legend in panel.queries:
                parameters = {
                    "query": expression(query, SELECTED, "10s"),
                    "start": f"{began:.0f}",
                    "end": f"{ended:.0f}",
                    "step": f"{step:.1f}",
                }
                answer = http.get(f"{url}/api/v1/query_range", params=parameters).raise_for_status().json()
                series += [
                    {"legend": _filled(legend, one["metric"]), "values": _values(one["values"], began, step)}
                    for one in answer["data"]["result"]
                ]
            series.sort(key=lambda one: -max((value for value in one["values"] if value is not None), default=0))
            panels[panel.title] = series[:MOST_SERIES]
    return {"seconds": round(ended - began), "panels": panels}


def _values(samples: list[list[Any]], began: float, step: float) -> list[float | None]:
    by_place = {round((at - began) / step): float(value) for at, value in samples}
    found = [by_place.get(place) for place in range(POINTS + 1)]
    return [None if value is None or not math.isfinite(value) else float(f"{value:.3g}") for value in found]


def _filled(legend: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    return legend


def _write(recorded: dict[str, Any], wanted: argparse.Namespace) -> None:
    title = f"make chaos SECONDS={wanted.seconds} SEED={wanted.seed}, with a read model"
    lines = [f"  {json.dumps(name)}: {json.dumps(series)}" for name, series in recorded["panels"].items()]
    head = f'"run": {json.dumps(title)},\n "seconds": {recorded["seconds"]}'
    OUTPUT.write_text("{\n " + head + ',\n "panels": {\n' + ",\n".join(lines) + "\n }\n}\n")


if __name__ == "__main__":
    sys.exit(main())
