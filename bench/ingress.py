"""`python -m bench.ingress`: the ingress beside its floor and its peer in alternating runs. Prints medians and ratios.

Floor: bare Starlette, aiokafka and one pydantic model. Peer: FastAPI and FastStream with an API key. Ours: `gateway
ingress` with all features (API keys, JWT with ES256, the log, metrics, the tail of events). All get a close of 1 KiB,
which ours encrypts and the others do not. Ours and the peer also get a request, which nobody encrypts. All have the
same Kafka (acks=all). Each is one process, pinned to one core if there are several; broker and load generator share the
others. Ours has its default settings, so its producer waits 2 ms for more commands, and the others' do not wait. "By
CPU" compares the processor time per request, so other load on the machine matters less. `--beside CHECKOUT` adds the
ingress of another checkout, such as a worktree of an older commit with a `.venv` of its own (`make install`), on the
same Kafka.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from bench.harness import console, median, options, row, show
from bench.installed import PARTITIONS
from bench.load import Load
from bench.processes import seconds_of
from gateway.ingress.commands.publisher import PROBE_EVERY_SECONDS, PROBE_SECONDS
from local.installation import GATEWAY, Installation, new_caller
from local.kafka.nodes import Cluster
from local.processes.ports import free_ports
from local.processes.run import Run

BODY = json.dumps({"result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "n" * 920}})
PATH = "/v1/authorizations/{authorization}/handoffs/mhand_55/close"
REQUEST, REQUEST_PATH = '{"requestedBy":"op-7","metadata":{"case":"case-0042"}}', PATH.removesuffix("/mhand_55/close")
ISSUER = "https://login.bench"
HEAD = {"alg": "ES256", "kid": "bench"}
_TOKEN = (
    '[[caller]]\nname = "token-{0}"\npermissions = ["handoff:close"]\n'
    f'[[caller.token]]\nissuer = "{ISSUER}"\nsubject = "{{0}}"\n'
)
# No worker finishes the commands of a run, and a caller may have 1,250 unfinished ones in a partition: else 429.
CALLERS = 10


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of caller of one server process."""

    name: str
    pid: int
    port: int
    credentials: list[str]
    path: str = PATH
    body: str = BODY
    peer: str = "peer, close"


def pin(process: int, cores: set[int]) -> None:
    """Pin a process to these cores, if the machine has several."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process, cores)


@contextmanager
def subjects(bootstrap: str, beside: str, runs: int) -> Iterator[list[Subject]]:
    """Run the floor, the peer, ours, and the ingress of the checkout `beside` within the block; yield their callers."""
    with Run("bench") as run:
        callers = [new_caller(f"caller-{number}") for number in range(runs * CALLERS)]
        tokens = _tokens(run.directory, runs * CALLERS)
        issuer = f'[[issuer]]\nurl = "{ISSUER}"\naudience = "gateway"\nalgorithms = ["ES256"]\n'
        installed = Installation(
            run,
            bootstrap=bootstrap,
            collate_url="http://127.0.0.1:1",
            prefix=f"bench-{uuid.uuid4().hex[:8]}.",
            people=f'{issuer}keys = "{run.directory}/jwks.json"\n'
            + "".join(entry for _, entry in callers)
            + "".join(_TOKEN.format(number) for number in range(len(tokens))),
            settings={
                "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
                "GATEWAY_INGRESS__CALLER_RATE": "1000000",
                "GATEWAY_INGRESS__CALLER_BURST": "1000000",
                "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "100000",
                "GATEWAY_INGRESS__MAX_REPLICAS": "1",
                "GATEWAY_WORKER__READ_AHEAD": "10000",
            },
        )
        # With PYTHONPATH both checkouts would run the same code.
        os.environ.pop("PYTHONPATH", None)
        installed.apply_topics()
        found = []
        for name, module in (("floor", "bare_ingress"), ("peer, close", "fastapi_faststream")):
            (port,) = free_ports(1)
            bare = run.spawn(
                [sys.executable, "-m", f"bench.floors.{module}", bootstrap, f"{installed.prefix}commands", str(port)],
                log=run.directory / f"{module}.log",
                environ=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            )
            found.append(Subject(name, bare.pid, port, ["peer-key"]))
        request = replace(found[-1], name="peer, request", path=REQUEST_PATH, body=REQUEST, peer="peer, request")
        found.append(request)
        programs = {"ours": GATEWAY} | ({"beside": Path(beside, ".venv/bin/gateway")} if beside else {})
        for name, program in programs.items():
            started = installed.start("ingress", name, gateway=program)
            started.await_ready()
            pid, port = started.process.pid, int(started.url.rpartition(":")[2])
            close = Subject(f"{name}, close", pid, port, [key for key, _ in callers])
            found += [
                close,
                replace(request, name=f"{name}, request", pid=pid, port=port, credentials=[*close.credentials]),
                replace(close, name=f"{name}, close, JWT", credentials=[*tokens]),
            ]
        for subject in found:
            pin(subject.pid, {0})
        yield found


def _tokens(directory: Path, count: int) -> list[str]:
    """Write an issuer's keys and return one token for each of its services."""
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    (directory / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "gateway", "iat": now, "exp": now + 24 * 60 * 60}
    return [jwt.encode(HEAD, claims | {"sub": str(number)}, key) for number in range(count)]


def measure(subject: Subject, connections: int, seconds: float, expected: int = 202) -> dict[str, Any]:
    """Put load on a server and return the results."""
    own, later = subject.credentials[:CALLERS], subject.credentials[CALLERS:]
    subject.credentials[:] = later + own
    load = Load(
        port=subject.port,
        run=uuid.uuid4().hex[:12],
        connections=connections,
        seconds=seconds,
        path=subject.path,
        credentials=own,
        body=subject.body,
        expected=expected,
    )
    before = seconds_of(subject.pid)
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(load))]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=-1, text=True).stdout)
    return result | {"cpu_us": round((seconds_of(subject.pid) - before) / result["sent"] * 1e6, 1)}


def measure_without_kafka(cluster: Cluster, subject: Subject) -> dict[str, Any]:
    """Kill the broker, wait for two probes, and measure how fast the server answers 503."""
    cluster.kill(0)
    time.sleep(2 * (PROBE_EVERY_SECONDS + PROBE_SECONDS))
    return measure(subject, 16, 5.0, expected=503)


def main() -> None:
    """Measure in alternating runs, and print the table."""
    given = options(
        __doc__,
        connections=([64, 256], "connections at the same time"),
        seconds=(8.0, "seconds to measure"),
        rounds=(5, "rounds of all subjects"),
        beside=("", "a checkout whose ingress is measured too"),
    )
    pin(0, set(range(1, os.cpu_count() or 1)) or {0})
    rows = []
    with (
        Cluster(brokers=1, long_lived=True) as cluster,
        subjects(cluster.bootstrap, given.beside, given.rounds * len(given.connections)) as callers,
    ):
        for connections in given.connections:
            runs: dict[str, list[dict[str, Any]]] = {subject.name: [] for subject in callers}
            for number in range(given.rounds):
                for subject in callers if number % 2 == 0 else reversed(callers):
                    runs[subject.name].append(measure(subject, connections, given.seconds))
            floor, peers = runs["floor"], {subject.name: runs[subject.peer] for subject in callers}
            for name, of in runs.items():
                rate, p50, p99, cpu = (_median(of, key) for key in ("per_second", "p50_ms", "p99_ms", "cpu_us"))
                rows.append(
                    (
                        *(str(connections), name, f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{cpu:,.0f}"),
                        str(sum(sum(run["errors"].values()) for run in of)),
                        f"{rate / _median(floor, 'per_second'):.0%}",
                        f"{_median(floor, 'cpu_us') / cpu:.0%}",
                        f"{_median(peers[name], 'cpu_us') / cpu:.2f}x",
                    )
                )
                if name.startswith("ours"):
                    peer, theirs = _median(peers[name], "cpu_us"), _median(peers[name], "p99_ms")
                    row(
                        f"ingress, {connections} connections: a {name.removeprefix('ours, ')}",
                        f"{cpu:,.0f} µs: {peer / cpu:.2f} × FastAPI, {_median(floor, 'cpu_us') / cpu:.2f} × the floor; "
                        f"{rate:,.0f}/s; p50 {p50:.0f}, p99 {p99:.0f} ms (FastAPI {theirs:.0f})",
                        cpu,
                    )
        ours = next(subject for subject in callers if subject.name.startswith("ours"))
        columns = (
            "connections",
            "subject",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "errors",
            "of the floor",
            "by CPU",
            "of the peer by CPU",
        )
        show("requests/s, acks=all, one core; a close of 1 KiB if not said otherwise", columns, rows)
        console.print(f"Without Kafka, 16 connections, {ours.name}: {measure_without_kafka(cluster, ours)}")


def _median(runs: list[dict[str, Any]], key: str) -> float:
    return median(runs, lambda run: run[key])


if __name__ == "__main__":
    main()
