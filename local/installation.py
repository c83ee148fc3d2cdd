"""A gateway on this machine: its processes, over a Kafka and a Collate (and a PostgreSQL) that are given.

Owns their settings, a caller and its key, and their logs. Used by `gateway dev`, the demo and system tests. Knows the
gateway by its command line, its settings and its HTTP interfaces alone.
"""

import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local.failures import StartFailed
from local.processes.logs import failure
from local.processes.ports import free_ports
from local.processes.run import Run, stop

GATEWAY = Path(sys.executable).with_name("gateway")
COLLATE_KEY = "local-collate-key"
# One machine has one worker or a few: more partitions would only be slower to start.
PARTITIONS = 4
CALLER = "scheduling"
PERMISSIONS = (
    "handoff:request",
    "handoff:close",
    "handoff:grant",
    "authorization:watch",
    "authorization:read",
    "authorization:review",
    "operate",
)
READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Program:
    """One running process of the gateway."""

    name: str
    url: str
    admin_url: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def await_ready(self, within_seconds: float = READY_WITHIN_SECONDS) -> None:
        """Return when its readiness is green; raises StartFailed with the end of its log."""
        deadline = time.monotonic() + within_seconds
        with http_here() as http:
            while (missing := self._missing(http)) is not None:
                self.require_running()
                if time.monotonic() > deadline:
                    raise failure(self.name, f"it is not ready after {within_seconds:.0f} s: {missing}", [self.log])
                time.sleep(POLL_SECONDS)

    def require_running(self) -> None:
        """Raise StartFailed, with the end of its log, if it has ended."""
        if (code := self.process.poll()) is not None:
            raise failure(self.name, f"it ended with exit code {code}", [self.log])

    def stop(self) -> int:
        """Ask it to end, as Kubernetes would, and return its exit code."""
        stop([self.process], STOPPED_WITHIN_SECONDS)
        return self.process.returncode

    def _missing(self, http: httpx.Client) -> str | None:
        try:
            answer = http.get(f"{self.admin_url}/readyz")
        except httpx.TransportError as error:
            return type(error).__name__
        return None if answer.is_success else answer.text


class Installation:
    """Starts the gateway's processes, all with the same settings; `settings` go over what is set here."""

    def __init__(
        self,
        run: Run,
        *,
        bootstrap: str,
        collate_url: str,
        prefix: str = "collate-gateway.",
        replication: int = 1,
        database: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`database` is the conninfo of a PostgreSQL for the read model; without one there is none."""
        self._run = run
        self.prefix = prefix
        self.caller_key, callers = _new_caller()
        secret = {"callers.toml": callers, "collate-key": COLLATE_KEY, "digest-key": secrets.token_urlsafe(32)}
        if database is not None:
            secret["dsn"] = database
        for name, content in secret.items():
            self._write_secret(name, content)
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
            "GATEWAY_ENVIRONMENT": "local",
            "GATEWAY_KAFKA__BOOTSTRAP": bootstrap,
            "GATEWAY_TOPICS__PREFIX": prefix,
            "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
            "GATEWAY_TOPICS__REPLICATION": str(replication),
            "GATEWAY_TOPICS__MIN_INSYNC": str(min(2, replication)),
            "GATEWAY_COLLATE__BASE_URL": collate_url,
            "GATEWAY_COLLATE__ALLOW_PLAIN_HTTP": "true",
            "GATEWAY_COLLATE__API_KEY_FILE": str(run.directory / "collate-key"),
            # The simulated Collate is ours alone: no reason to ask it gently.
            "GATEWAY_COLLATE__CALLS_PER_SECOND": "2000",
            "GATEWAY_COLLATE__CONCURRENCY": "256",
            "GATEWAY_INGRESS__HOST": "127.0.0.1",
            "GATEWAY_INGRESS__CALLERS_FILE": str(run.directory / "callers.toml"),
            "GATEWAY_ADMIN__HOST": "127.0.0.1",
            "GATEWAY_WORKER__DIGEST_KEY_FILE": str(run.directory / "digest-key"),
            "GATEWAY_WORKER__GROUP": f"{prefix}worker",
            **({} if database is None else {"GATEWAY_READMODEL__DSN_FILE": str(run.directory / "dsn")}),
            **(settings or {}),
        }

    @property
    def environ(self) -> dict[str, str]:
        """The environment that the processes get, but for their own ports and names."""
        return dict(self._environ)

    def apply_topics(self) -> None:
        """Create what topics are missing; raises StartFailed."""
        self._do("topics", "apply")

    def migrate(self) -> None:
        """Make the tables of the read model; raises StartFailed."""
        self._do("migrate")

    def _do(self, *verb: str) -> None:
        log = self._run.directory / f"{verb[0]}.log"
        with log.open("ab") as output:
            done = subprocess.run([GATEWAY, *verb], env=self._environ, stdout=output, stderr=output, check=False)
        if done.returncode:
            raise failure(verb[0], f"`gateway {' '.join(verb)}` ended with exit code {done.returncode}", [log])

    def start(self, verb: str, name: str | None = None, port: int | None = None) -> Program:
        """Start `gateway ingress`, `worker` or `projector`, on free ports unless one is given; does not wait."""
        named = name or verb
        free, admin = free_ports(2)
        own = port or free
        log = self._run.directory / f"{named}.log"
        environ = {
            **self._environ,
            "GATEWAY_INGRESS__PORT": str(own),
            "GATEWAY_ADMIN__PORT": str(admin),
            "GATEWAY_WORKER__INSTANCE": named,
        }
        process = self._run.spawn([GATEWAY, verb], log=log, environ=environ)
        return Program(named, f"http://127.0.0.1:{own}", f"http://127.0.0.1:{admin}", log, process)

    def _write_secret(self, name: str, content: str) -> None:
        path = self._run.directory / name
        path.touch(mode=0o600)
        path.write_text(content)


def _new_caller() -> tuple[str, str]:
    """Make a caller that may do everything: its key, and the callers' file."""
    key_id = secrets.token_hex(4)
    key = f"cgk_{key_id}_{secrets.token_urlsafe(32)}"
    permissions = ", ".join(f'"{one}"' for one in PERMISSIONS)
    return key, (
        f'[[caller]]\nname = "{CALLER}"\npermissions = [{permissions}]\n'
        f'[[caller.key]]\nid = "{key_id}"\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'
    )


def http_here() -> httpx.Client:
    """Make a client for this machine, past any proxy; to be kept, since each one reads the system's certificates."""
    return httpx.Client(trust_env=False)


def start_collate(run: Run, *arguments: str, within_seconds: float = READY_WITHIN_SECONDS) -> str:
    """Start the simulated Collate as a process of its own and return its URL."""
    (port,) = free_ports(1)
    log = run.directory / "collate.log"
    process = run.spawn([sys.executable, "-m", "local.collate", "--port", str(port), *arguments], log=log)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + within_seconds
    with http_here() as http:
        while not _answers(http, f"{url}/health"):
            if (code := process.poll()) is not None:
                raise failure("collate", f"it ended with exit code {code}", [log])
            if time.monotonic() > deadline:
                raise StartFailed(f"The simulated Collate does not answer after {within_seconds:.0f} s.")
            time.sleep(POLL_SECONDS)
    return url


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).is_success
    except httpx.TransportError:
        return False
