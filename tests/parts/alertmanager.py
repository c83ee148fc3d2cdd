"""Prometheus and Alertmanager with the chart's rules: three faults, each from the first page to *resolved*.

All waits are FACTOR times shorter: the rules' `for`, `keep_firing_for` and ranges, and Alertmanager's own. The
alerts of the error budgets, which look back for hours, are left out.
"""

import asyncio
import json
import logging
import re
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from local.installation import PARTITIONS
from local.processes.ports import free_ports
from local.scene.scene import ON_CALL, Log, Scene, Setup, open_scene, progress
from tests.alerts.__main__ import OWN, RUNBOOK, rules_with
from tests.alerts.prometheus import Prometheus
from tests.parts.page import DOCS, lines

FACTOR = 30
# Alertmanager's defaults are 30 s and 5 min.
WAITS = {"group_wait": "2s", "group_interval": f"{300 // FACTOR}s"}
QUIET_SECONDS = 15.0
WITHIN_SECONDS = 90.0
WATCHED = 12
VALUES = {part: {"enabled": False} for part in ("projector", "deliverer", "console", "promises")} | {
    "settings": {"topics": {"partitions": PARTITIONS}}
}
_SECONDS = {"m": 60, "h": 3600}


@dataclass(frozen=True)
class Fault:
    """What begins and ends it, who is told of which alerts, and which warning the page silences."""

    begin: Callable[[Scene], Awaitable[object]]
    end: Callable[[Scene], Awaitable[object]]
    receiver: str
    alerts: set[str]
    silenced: str | None = None


FAULTS = {
    "Collate does not answer": Fault(
        lambda scene: asyncio.to_thread(scene.sim.fault, "hang", when="before"),
        lambda scene: asyncio.to_thread(scene.sim.faults.clear),
        "team",
        {"CollateDown"},
    ),
    "no worker runs": Fault(
        lambda scene: scene.kill("worker-0", "worker-1"),
        lambda scene: asyncio.gather(scene.start("worker-0"), scene.start("worker-1")),
        "on-call",
        {"Absent", "PartitionsUnowned"},
        silenced="ProcessSilent",
    ),
    "Kafka is away": Fault(
        lambda scene: asyncio.to_thread(scene.cluster.kill, 0),
        lambda scene: asyncio.to_thread(scene.cluster.start, 0),
        "on-call",
        {"KafkaAway"},
        silenced="NotReady",
    ),
}


class Receivers(ThreadingHTTPServer):
    """Keeps each notification of Alertmanager, with its time."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.told: list[tuple[float, dict]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((time.monotonic(), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def play() -> list[str]:
    """Return what was red."""
    return asyncio.run(_play())


async def _play() -> list[str]:
    log, often = progress(), {"GATEWAY_WATCH__PAYER": "3s"}
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it reports each try to reach the killed broker
    setup = Setup(name="alertmanager", ingresses=2, has_read_model=False, settings=often)
    async with open_scene(setup, log) as scene:
        receivers = Receivers()
        api = _start_alertmanager(scene, receivers.server_port)
        # It starts in a moment, in which the simulated Collate does not answer.
        with Prometheus(faster(rules_with(VALUES)), api.removeprefix("http://")) as prometheus:
            watch = Watch(scene, receivers, prometheus, api, log)
            watch.scrape()
            url, own = scene.of_kind("ingress")[0].url, {"Authorization": f"Bearer {scene.keys[ON_CALL]}"}
            for one in scene.sim.create("waiting_on_payer", count=WATCHED):
                path = f"{url}/v1/authorizations/{one}/watch"
                (await scene.http.post(path, json={}, headers=own | {"Idempotency-Key": one})).raise_for_status()
            await asyncio.sleep(QUIET_SECONDS)
            red = [f"without a fault: {_shown(body)}" for _, body in receivers.told] + _shadow(api)
            for name, fault in FAULTS.items():
                red += await watch.strike(name, fault)
    return red


def faster(rules: dict) -> dict:
    """Divide the durations, and the ages of processes, by FACTOR."""
    text = re.sub(
        r'(?<=["\[])(\d+)([mh])(?=["\]])',
        lambda found: f"{int(found[1]) * _SECONDS[found[2]] // FACTOR}s",
        json.dumps({"groups": [group for group in rules["groups"] if not group["name"].endswith(".slo")]}),
    )
    age = r"(process_start_time_seconds\{[^}]*\} < )(\d+)"
    return json.loads(re.sub(age, lambda found: f"{found[1]}{int(found[2]) // FACTOR}", text))


def _start_alertmanager(scene: Scene, receivers_port: int) -> str:
    """Start it with the page's lines; return its URL."""
    settings = yaml.safe_load(lines("yaml", having="inhibit_rules"))
    settings["route"] |= WAITS
    for hook in (hook for receiver in settings["receivers"] for hook in receiver.get("webhook_configs", ())):
        hook["url"] = f"http://127.0.0.1:{receivers_port}"
    directory, (port,) = scene.run.directory, free_ports(1)
    (directory / "alertmanager.yaml").write_text(yaml.safe_dump(settings))
    argv = [
        *("prometheus-alertmanager", f"--config.file={directory / 'alertmanager.yaml'}"),
        *(f"--storage.path={directory / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{port}"),
        "--cluster.listen-address=",
    ]
    scene.run.spawn(argv, log=directory / "alertmanager.log")
    return f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Watch:
    """Sees what Prometheus, Alertmanager and the people on call see."""

    scene: Scene
    receivers: Receivers
    prometheus: Prometheus
    api: str
    log: Log

    def scrape(self) -> None:
        """Name the processes to Prometheus: one that starts again has another port."""
        self.prometheus.scrape({name: program.admin_url for name, program in self.scene.programs.items()})

    async def strike(self, name: str, fault: Fault) -> list[str]:
        """Begin and end a fault; return what a person on call would miss."""
        scene, first, began = self.scene, len(self.receivers.told), time.monotonic()

        def told(status: str) -> list[tuple[float, dict]]:
            both = (fault.receiver, status)
            return [one for one in self.receivers.told[first:] if (one[1]["receiver"], one[1]["status"]) == both]

        async def is_paged() -> bool:
            return bool(told("firing"))

        async def is_silenced() -> bool:
            alerts = (await scene.http.get(f"{self.api}/api/v2/alerts")).json()
            silenced = [one["labels"]["alertname"] for one in alerts if one["status"]["inhibitedBy"]]
            return f"CollateGateway{fault.silenced}" in silenced

        async def is_resolved() -> bool:
            alerts = await asyncio.to_thread(self.prometheus.alerts)
            return bool(told("resolved")) and not any(one["state"] == "firing" for one in alerts)

        try:
            await fault.begin(scene)
            await scene.until(is_paged, WITHIN_SECONDS, f"{name}: the first page")
            if fault.silenced:
                await scene.until(is_silenced, WITHIN_SECONDS, f"{name}: {fault.silenced} is silenced")
            others = [body for _, body in self.receivers.told[first:] if body["receiver"] != fault.receiver]
        finally:
            await fault.end(scene)
            ended = time.monotonic()
            self.scrape()
        await scene.until(is_resolved, WITHIN_SECONDS, f"{name}: resolved")
        (paged, page), (resolved, _) = told("firing")[0], told("resolved")[-1]
        self.log(f"{name}: told after {paged - began:.0f} s, resolved {resolved - ended:.0f} s after its end")
        for at, body in self.receivers.told[first:]:
            self.log(f"  {at - began:.0f} s, {_shown(body)}")
        missing = fault.alerts - {one["labels"]["alertname"].removeprefix("CollateGateway") for one in page["alerts"]}
        red = [f"{name}: the first page lacks {missing}"] if missing else []
        red += [f"{name}: beside {fault.receiver}: {_shown(body)}" for body in others]
        return red + [f"{name}: {line}" for _, body in self.receivers.told[first:] for line in unclear(body)]


def _shadow(api: str) -> list[str]:
    """Return what is red in the route of a shadow's alerts."""
    test = ["amtool", "config", "routes", "test", f"--alertmanager.url={api}", "severity=info"]
    receiver = subprocess.run(test, capture_output=True, text=True, check=True).stdout.strip()
    return [] if receiver == "nobody" else [f"an alert of a shadow goes to {receiver}"]


def _shown(body: dict) -> str:
    alerts = sorted({one["labels"]["alertname"].removeprefix("CollateGateway") for one in body["alerts"]})
    return f"{body['receiver']} {body['status']}: {', '.join(alerts)}"


def unclear(body: dict) -> list[str]:
    """Return what a person on call could not read, or not follow."""
    runbook = (DOCS / "operations.md").read_text(encoding="utf-8")
    red = []
    for alert in body["alerts"]:
        labels, words = alert["labels"], alert["annotations"]
        page, _, anchor = words["runbook_url"].partition("#")
        heading = re.search(rf"^## {anchor.replace('-', ' ')}$", runbook, re.MULTILINE | re.IGNORECASE)
        if page != RUNBOOK or heading is None or f"`{labels['alertname']}`" not in runbook:
            red.append(f"{labels['alertname']}: no page {words['runbook_url']}")
        if not labels.items() >= OWN.items() or labels["severity"] not in {"critical", "warning"}:
            red.append(f"{labels['alertname']}: labels {labels}")
        if not re.fullmatch(r"[^{}<>%]{10,150}", words["summary"].replace(" %", "")):
            red.append(f"{labels['alertname']}: summary {words['summary']}")
    return red
