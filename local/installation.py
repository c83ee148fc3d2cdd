"""The gateway's processes on this machine, for a given Kafka, Collate and, optionally, PostgreSQL.

`Installation` owns the settings, a caller with its key, and the logs. `make dev`, the demo and system tests use it.
It uses the gateway's command line, settings and HTTP interfaces only.
"""

import hashlib
import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from local.failures import StartFailed
from local.processes.logs import failure
from local.processes.patience import Patience, slowness
from local.processes.ports import free_ports
from local.processes.run import Run, stop

if TYPE_CHECKING:
    from runtime.credentials.key_ring import FixedKeys

GATEWAY = Path(sys.executable).with_name("gateway")
COLLATE_KEY = "local-collate-key"
# One machine has few workers; more partitions would only start more slowly.
PARTITIONS = 4
CALLER = "scheduling"
PERMISSIONS = (
    "handoff:request",
    "handoff:close",
    "handoff:grant",
    "authorization:watch",
    "authorization:read",
    "authorization:review",
    "authorization:evidence",
    "operate",
)
READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Program:
    """A running process of the gateway."""

    name: str
    url: str
    admin_url: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    start_line: str = field(default="", repr=False)  # for a shell with the installation's settings

    def await_ready(self, within_seconds: float = READY_WITHIN_SECONDS) -> None:
        """Wait until the process is ready.

        Raises StartFailed if the process has ended or is not ready in time. The message has the end of its log.
        """
        patience = Patience(within_seconds)
        with http_here() as http:
            while (missing := self._missing(http)) is not None:
                self.require_running()
                if patience.is_over:
                    raise failure(self.name, f"it is not ready after {within_seconds:.0f} s: {missing}", [self.log])
                time.sleep(patience.pause)

    def is_running(self) -> bool:
        """Return whether the process has not ended."""
        return self.process.poll() is None

    def require_running(self) -> None:
        """Raise StartFailed, with the end of its log, if the process has ended."""
        if (code := self.process.poll()) is not None:
            raise failure(self.name, f"it ended with exit code {code}", [self.log])

    def stop(self) -> int:
        """Stop the process with SIGTERM, as Kubernetes does, and return its exit code."""
        stop([self.process], STOPPED_WITHIN_SECONDS * slowness())
        return self.process.returncode

    def _missing(self, http: httpx.Client) -> str | None:
        try:
            response = http.get(f"{self.admin_url}/readyz")
        except httpx.TransportError as error:
            return type(error).__name__
        return None if response.is_success else response.text


class Installation:
    """Starts the gateway's processes with the same settings. `settings` replace the defaults of this class."""

    def __init__(
        self,
        run: Run,
        *,
        bootstrap: str,
        collate_url: str,
        prefix: str = "collate-gateway.",
        replication: int = 1,
        database: str | None = None,
        people: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`database` is the conninfo of the read model's PostgreSQL; None means no read model.

        `people` are further entries of the callers file, such as `LocalIssuer.callers_file_entry` makes them.
        """
        self._run = run
        self.prefix = prefix
        self.caller_key, callers = new_caller(CALLER)
        secret = {
            "callers.toml": callers + people,
            "collate-key": COLLATE_KEY,
            "digest-key": secrets.token_urlsafe(32),
            "phi-keys": f"{secrets.token_urlsafe(32)} {datetime.now(UTC):%Y-%m-%d}",
            "cookie-key": secrets.token_urlsafe(32),
        }
        if database is not None:
            secret["dsn"] = database
        for name, content in secret.items():
            self.write_secret(name, content)
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
            # No other client uses this simulated Collate, so high limits are safe.
            "GATEWAY_COLLATE__CALLS_PER_SECOND": "2000",
            "GATEWAY_COLLATE__CONCURRENCY": "256",
            "GATEWAY_INGRESS__HOST": "127.0.0.1",
            "GATEWAY_INGRESS__CALLERS_FILE": str(run.directory / "callers.toml"),
            "GATEWAY_ADMIN__HOST": "127.0.0.1",
            "GATEWAY_WORKER__DIGEST_KEY_FILE": str(run.directory / "digest-key"),
            "GATEWAY_TOPICS__PHI_KEY_FILE": str(run.directory / "phi-keys"),
            "GATEWAY_WORKER__GROUP": f"{prefix}worker",
            **({} if database is None else {"GATEWAY_READMODEL__DSN_FILE": str(run.directory / "dsn")}),
            **(settings or {}),
        }

    @property
    def directory(self) -> Path:
        """The directory of the secrets, the logs and the console's links."""
        return self._run.directory

    @property
    def phi_keys(self) -> "FixedKeys":
        """The keys of the PHI in the topics."""
        from local.phi_keys import keys_of  # noqa: PLC0415 - imports packages that `make demo` does not need

        return keys_of((self.directory / "phi-keys").read_text())

    @property
    def environ(self) -> dict[str, str]:
        """The processes' environment, without their own ports and names."""
        return dict(self._environ)

    def caller_environ(self, ingress: Program, key: str | None = None) -> dict[str, str]:
        """The environment in which the command line calls this ingress, as the caller with this key."""
        return self.environ | {"COLLATE_GATEWAY_URL": ingress.url, "COLLATE_GATEWAY_KEY": key or self.caller_key}

    def change(self, settings: Mapping[str, str]) -> None:
        """Replace settings of the processes that start from now on."""
        self._environ |= settings

    def apply_topics(self) -> None:
        """Create the missing topics. Raises StartFailed if the command failed."""
        self.run_verb("topics", "apply")

    def migrate(self) -> None:
        """Create the tables of the read model. Raises StartFailed if the command failed."""
        self.run_verb("migrate")

    def run_verb(self, *verb: str) -> None:
        """Run a verb of `gateway`. Raises StartFailed if it failed."""
        log = self._run.directory / f"{verb[0]}.log"
        if code := self._run.spawn([GATEWAY, *verb], log=log, environ=self._environ).wait():
            raise failure(verb[0], f"`gateway {' '.join(verb)}` ended with exit code {code}", [log])

    def start_console(self, ingress: Program, issuer_url: str | None = None, port: int | None = None) -> Program:
        """Start `gateway console` in front of an ingress without waiting; people may sign in at a local issuer."""
        # Not in `environ`: a program of an earlier release does not know these settings.
        settings = {
            "GATEWAY_CONSOLE__API_URL": ingress.url,
            "GATEWAY_CONSOLE__HOST": "127.0.0.1",
            "GATEWAY_CONSOLE__COOKIE_KEY_FILE": str(self.directory / "cookie-key"),
            "GATEWAY_CONSOLE__LINK_DIRECTORY": str(self.directory),
            "GATEWAY_CONSOLE__KEY_SIGN_IN": "true",
            "GATEWAY_CONSOLE__SESSION_ORIGINS": self._environ["GATEWAY_COLLATE__BASE_URL"],
        }
        chosen = "GATEWAY_CONSOLE__CASE_COLUMNS", "GATEWAY_CONSOLE__PAYER_NAMES"
        settings |= {name: os.environ[name] for name in chosen if name in os.environ}
        if issuer_url is not None:
            settings |= {"GATEWAY_CONSOLE__OIDC_ISSUER": issuer_url, "GATEWAY_CONSOLE__OIDC_CLIENT_ID": "console"}
        port = port or free_ports(1)[0]
        settings |= {
            "GATEWAY_CONSOLE__PORT": str(port),
            "GATEWAY_CONSOLE__PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        return self.start("console", port=port, settings=settings)

    def start(
        self,
        verb: str,
        name: str | None = None,
        port: int | None = None,
        *,
        gateway: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Program:
        """Start a process of the gateway without waiting. Default: free ports, this tree's program.

        `gateway` is the program of another release; `settings` are further ones of this process.
        """
        name = name or verb
        free, admin = free_ports(2)
        port = port or free
        log = self._run.directory / f"{name}.log"
        own = {
            "GATEWAY_INGRESS__PORT": str(port),
            "GATEWAY_ADMIN__PORT": str(admin),
            "GATEWAY_WORKER__INSTANCE": name,
            **(settings or {}),
        }
        process = self._run.spawn([gateway or GATEWAY, verb], log=log, environ=self._environ | own)
        line = " ".join([*(f"{key}={shlex.quote(value)}" for key, value in own.items()), "gateway", verb])
        return Program(name, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}", log, process, line)

    def write_secret(self, name: str, content: str) -> None:
        """Replace the content of a secret's file, as Kubernetes does after a change of the Secret.

        Names: `callers.toml`, `collate-key`, `digest-key`, `phi-keys`, `dsn`.
        """
        path = self._run.directory / name
        path.touch(mode=0o600)
        path.write_text(content)


def new_caller(name: str, permissions: Sequence[str] = PERMISSIONS) -> tuple[str, str]:
    """Return the key of a new caller, and its entry in the callers file."""
    key_id = secrets.token_hex(4)
    key = f"cgk_{key_id}_{secrets.token_urlsafe(32)}"
    listed = ", ".join(f'"{permission}"' for permission in permissions)
    return key, (
        f'[[caller]]\nname = "{name}"\npermissions = [{listed}]\n'
        f'[[caller.key]]\nid = "{key_id}"\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'
    )


def http_here() -> httpx.Client:
    """Return a client for this machine that uses no proxy. Reuse it: creating one reads the system's certificates."""
    return httpx.Client(trust_env=False, timeout=30.0)


def start_collate(run: Run, *arguments: str) -> str:
    """Start the simulated Collate in its own process and return its URL."""
    (port,) = free_ports(1)
    log = run.directory / "collate.log"
    process = run.spawn([sys.executable, "-m", "local.collate", "--port", str(port), *arguments], log=log)
    url, patience = f"http://127.0.0.1:{port}", Patience(READY_WITHIN_SECONDS)
    with http_here() as http:
        while not _is_healthy(http, f"{url}/health"):
            if (code := process.poll()) is not None:
                raise failure("collate", f"it ended with exit code {code}", [log])
            if patience.is_over:
                raise StartFailed(f"The simulated Collate does not respond after {READY_WITHIN_SECONDS:.0f} s.")
            time.sleep(patience.pause)
    return url


def _is_healthy(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).is_success
    except httpx.TransportError:
        return False
