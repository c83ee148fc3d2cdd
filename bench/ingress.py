"""`python -m bench.ingress`: the ingress beside its floor in alternating runs. Prints medians and their ratio.

Floor: bare Starlette, aiokafka and one pydantic model. Ours: `gateway ingress` with all features (API keys, JWT with
ES256, Standard Webhooks signatures, the log to a pipe, metrics, the tail of events). All get the same command (1 KiB
close; with a signature, as a CloudEvent) and the same Kafka (acks=all). Each is one process, pinned to one core if
there are several; broker and load generator share the others. Ours has its default settings, so its producer waits 2 ms
for more commands, and the floor's does not wait. "By CPU" compares the processor time per request, so
other load on the machine matters less. `--beside CHECKOUT` adds the ingress of another checkout, such as a worktree of
an older commit with a `.venv` of its own (`make install`), on the same Kafka.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from joserfc import jwt
from joserfc.jwk import ECKey
from rich.console import Console
from rich.table import Table

from bench.load import Load
from gateway.ingress.auth.callers import new_key
from gateway.ingress.commands.publisher import PROBE_EVERY_SECONDS, PROBE_SECONDS
from local.kafka.nodes import Cluster
from local.processes.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

console = Console()
BODY = json.dumps({"result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "n" * 920}})
PATH = "/v1/authorizations/{authorization}/handoffs/mhand_55/close"
# A signature is accepted for a structured CloudEvent only.
EVENT = json.dumps(
    {
        "specversion": "1.0",
        "id": "{id}",
        "source": "/bench",
        "type": "collate-gateway.handoff.close.v1",
        "subject": "{authorization}",
        "data": json.loads(BODY) | {"handoffId": "mhand_55"},
    }
)
ISSUER = "https://login.bench"
PARTITIONS = 12
START_SECONDS = 30.0
_PROGRAM = Path(".venv/bin/gateway")
_JSON = "Content-Type: application/json\r\n"


class Server:
    """A server process."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str], *, port: int, ready: str) -> None:
        self.name, self.port = name, port
        self._sink = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(command, env=environ, stderr=self._sink.stdin, stdout=self._sink.stdin)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if httpx.get(ready, trust_env=False).status_code in {200, 404}:
                    return
            time.sleep(0.1)
        self.close()
        raise SystemExit(f"{name} did not start")

    def close(self) -> None:
        """Stop the process."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        if self._sink.stdin is not None:
            self._sink.stdin.close()
        self._sink.wait(5)


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of caller of one server."""

    name: str
    server: Server
    headers: str = ""
    path: str = PATH
    signing_secret: str = ""


def pin(process: int, cores: set[int]) -> None:
    """Pin a process to these cores, if the machine has several."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process, cores)


@contextmanager
def subjects(bootstrap: str, beside: Path | None = None) -> Iterator[list[Subject]]:
    """Run the floor, ours, and the ingress of the checkout `beside` within the block; yield their callers."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}."
    programs = {"ours": Path(sys.executable).with_name("gateway")}
    if beside is not None:
        programs["beside"] = beside / _PROGRAM
    floor_port, *ports = free_ports(1 + 2 * len(programs))
    with tempfile.TemporaryDirectory() as directory:
        key, signing, token = new_key(), base64.b64encode(os.urandom(32)).decode(), _token(Path(directory))
        Path(directory, "signing").write_text(f"whsec_{signing}")
        callers = Path(directory, "callers.toml")
        callers.write_text(
            f'[[issuer]]\nurl = "{ISSUER}"\naudience = "gateway"\n'
            f'algorithms = ["ES256"]\nkeys = "{directory}/jwks.json"\n'
            + _caller("key", key.entry)
            + _caller("token", f'[[caller.token]]\nissuer = "{ISSUER}"\nsubject = "bench"\n')
            + _caller("signer", f'[[caller.signature]]\nsecret_file = "{directory}/signing"\n')
        )
        Path(directory, "collate.key").write_text("unused")
        # With PYTHONPATH both checkouts would run the same code.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PYTHON"))}
        environ = inherited | {
            "GATEWAY_ENVIRONMENT": "bench",
            "GATEWAY_KAFKA__BOOTSTRAP": bootstrap,
            "GATEWAY_TOPICS__PREFIX": prefix,
            "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
            "GATEWAY_TOPICS__REPLICATION": "1",
            "GATEWAY_TOPICS__MIN_INSYNC": "1",
            "GATEWAY_COLLATE__BASE_URL": "http://127.0.0.1:1",
            "GATEWAY_COLLATE__ALLOW_PLAIN_HTTP": "true",
            "GATEWAY_COLLATE__API_KEY_FILE": f"{directory}/collate.key",
            "GATEWAY_INGRESS__CALLERS_FILE": str(callers),
            "GATEWAY_INGRESS__HOST": "127.0.0.1",
            "GATEWAY_ADMIN__HOST": "127.0.0.1",
        }
        applied = [str(programs["ours"]), "topics", "apply"]
        subprocess.run(applied, env=environ, check=True, stdout=subprocess.DEVNULL)
        started: list[Server] = []
        try:
            floor = [sys.executable, "-m", "bench.floors.bare_ingress", bootstrap, f"{prefix}commands", str(floor_port)]
            started.append(Server("floor", floor, environ, port=floor_port, ready=f"http://127.0.0.1:{floor_port}/"))
            for (name, program), port, admin_port in zip(programs.items(), ports[::2], ports[1::2], strict=True):
                own = {"GATEWAY_INGRESS__PORT": str(port), "GATEWAY_ADMIN__PORT": str(admin_port)}
                ready = f"http://127.0.0.1:{admin_port}/readyz"
                started.append(Server(name, [str(program), "ingress"], environ | own, port=port, ready=ready))
            for server in started:
                pin(server.process.pid, {0})
            yield [
                Subject("floor", started[0], _JSON),
                *(caller for gateway in started[1:] for caller in _callers_of(gateway, key.key, token, signing)),
            ]
        finally:
            for server in started:
                server.close()


def _callers_of(gateway: Server, key: str, token: str, signing: str) -> list[Subject]:
    event = "Content-Type: application/cloudevents+json\r\n"
    return [
        Subject(f"{gateway.name}, API key", gateway, f"{_JSON}Authorization: Bearer {key}\r\n"),
        Subject(f"{gateway.name}, JWT", gateway, f"{_JSON}Authorization: Bearer {token}\r\n"),
        Subject(f"{gateway.name}, signature", gateway, event, "/v1/commands?caller=signer", signing),
    ]


def _caller(name: str, credential: str) -> str:
    rate = "rate_per_second = 1000000.0\nburst = 1000000\n"
    return f'[[caller]]\nname = "{name}"\npermissions = ["handoff:close"]\n{rate}{credential}'


def _token(directory: Path) -> str:
    """Write an issuer's keys and return one of its tokens."""
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    (directory / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "gateway", "sub": "bench", "iat": now, "exp": now + 24 * 60 * 60}
    return jwt.encode({"alg": "ES256", "kid": "bench"}, claims, key)


def measure(subject: Subject, connections: int, seconds: float, expected: int = 202) -> dict[str, Any]:
    """Put load on a server and return the results."""
    server = subject.server
    load = Load(
        port=server.port,
        run=uuid.uuid4().hex[:12],
        connections=connections,
        seconds=seconds,
        warm_up_seconds=2.0,
        path=subject.path,
        headers=subject.headers,
        body=EVENT if subject.signing_secret else BODY,
        signing_secret=subject.signing_secret,
        expected=expected,
    )
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(load))]
    spent = psutil.Process(server.process.pid).cpu_times
    before = spent()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = spent()
    result: dict[str, Any] = json.loads(done.stdout)
    cpu = after.user + after.system - before.user - before.system
    return result | {"cpu_us": round(cpu / result["sent"] * 1e6, 1)}


def measure_without_kafka(cluster: Cluster, subject: Subject) -> dict[str, Any]:
    """Kill the broker, wait for two probes, and measure how fast the server answers 503."""
    cluster.kill(0)
    time.sleep(2 * (PROBE_EVERY_SECONDS + PROBE_SECONDS))
    return measure(subject, 16, 5.0, expected=503)


def main() -> None:
    """Measure in alternating runs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure the ingress of this checkout too")
    arguments = parser.parse_args()
    if arguments.beside and not (arguments.beside / _PROGRAM).is_file():
        parser.error(f"{arguments.beside / _PROGRAM} is not there: run make install in that checkout")
    others = set(range(1, os.cpu_count() or 1)) or {0}
    pin(0, others)
    with Cluster(brokers=1, long_lived=True) as cluster, subjects(cluster.bootstrap, arguments.beside) as callers:
        table = Table(title="requests/s, 1 KiB close, acks=all, one core")
        for column in (
            "connections",
            "subject",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "errors",
            "of the floor",
            "by CPU",
        ):
            table.add_column(column, justify="right")
        for connections in arguments.connections:
            runs: dict[str, list[dict[str, Any]]] = {subject.name: [] for subject in callers}
            for number in range(arguments.rounds):
                for subject in callers if number % 2 == 0 else reversed(callers):
                    run = measure(subject, connections, arguments.seconds)
                    runs[subject.name].append(run)
                    console.print(f"{connections} connections, {subject.name}: {run}")
            rate = {name: statistics.median(run["per_second"] for run in found) for name, found in runs.items()}
            cpu = {name: statistics.median(run["cpu_us"] for run in found) for name, found in runs.items()}
            for name, found in runs.items():
                table.add_row(
                    str(connections),
                    name,
                    f"{rate[name]:,.0f}",
                    f"{statistics.median(run['p50_ms'] for run in found):.1f}",
                    f"{statistics.median(run['p99_ms'] for run in found):.1f}",
                    f"{cpu[name]:,.0f}",
                    str(sum(sum(run["errors"].values()) for run in found)),
                    f"{rate[name] / rate['floor']:.0%}",
                    f"{cpu['floor'] / cpu[name]:.0%}",
                )
        console.print(table)
        console.print(f"Without Kafka, 16 connections, {callers[1].name}: {measure_without_kafka(cluster, callers[1])}")


if __name__ == "__main__":
    main()
