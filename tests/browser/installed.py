"""A whole local installation with a console, for the browser tests: started once per session, in about six seconds."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from local.installation import Installation, Program, start_collate
from local.issuer import LocalIssuer
from local.processes.patience import Patience
from local.stack import PEOPLE, STAFF
from tests.preloaded import PreloadedRun

ON_CALL = "on-call"
COLLATE = ("--set", "reconcile_seconds=1")
SETTINGS = {"GATEWAY_WATCH__NOT_ENTERED_AFTER": "2s"}


@dataclass(frozen=True, slots=True)
class Installed:
    """The running installation."""

    url: str
    installation: Installation
    ingress: Program
    console: Program
    worker: Program
    projector: Program
    collate_url: str
    issuer: LocalIssuer
    http: httpx.Client

    def simulate(self, path: str, body: dict) -> dict:
        """Call the control API of the simulated Collate."""
        response = self.http.post(f"{self.collate_url}/_sim/{path}", json=body)
        response.raise_for_status()
        return response.json()

    @contextmanager
    def refusing(self, status: int = 400, code: str = "bad_request") -> Iterator[None]:
        """Let Collate refuse to open handoffs within the block."""
        rule = {"do": "answer", "method": "POST", "path": "manual-handoffs$", "when": "before"}
        fault = self.simulate("faults", rule | {"status": status, "code": code})
        try:
            yield
        finally:
            self.http.delete(f"{self.collate_url}/_sim/faults/{fault['id']}").raise_for_status()

    def call(self, method: str, path: str, body: dict | None = None, **headers: str) -> httpx.Response:
        """Call the ingress as the service."""
        headers = {"Authorization": f"Bearer {self.installation.caller_key}", **headers}
        response = self.http.request(method, f"{self.ingress.url}{path}", json=body, headers=headers)
        response.raise_for_status()
        return response

    def create(self, prefix: str = "auth", *, watched: bool = True, **what) -> str:
        """Create an authorization that waits for a person, watched by the gateway. Return its id."""
        authorization = f"{prefix}_{secrets.token_hex(4)}"
        self.simulate("authorizations", {"ids": [authorization], **what})
        if watched:
            self.watch(authorization)
        return authorization

    def watch(self, authorization: str) -> None:
        """Let the gateway read an authorization now, and wait for it."""
        self.command(f"/v1/authorizations/{authorization}/watch")

    def command(
        self,
        path: str,
        body: dict | None = None,
        *,
        as_person: str | None = None,
        status: str = "finished",
        within_seconds: float = 30,
    ) -> str:
        """Send a command as the service or a person, wait until it has a status, and return its id."""
        key = self.installation.caller_key
        sender = self.issuer.token(as_person, PEOPLE_OF_TESTS[as_person]) if as_person else key
        headers = {"Authorization": f"Bearer {sender}", "Idempotency-Key": secrets.token_hex(8)}
        sent = self.call("POST", path, body or {}, **headers).json()
        patience = Patience(within_seconds)
        while True:
            found = self.http.get(
                f"{self.ingress.url}/v1/commands/{sent['commandId']}", headers={"Authorization": f"Bearer {key}"}
            )
            if found.is_success and found.json()["status"] == status:
                return sent["commandId"]
            assert not patience.is_over, f"{path}: {found.text}"
            time.sleep(0.1)

    def close(self, authorization: str, reported: str, *, as_person: str) -> None:
        """Close the open handoff with a report."""
        record = self.call("GET", f"/v1/authorizations/{authorization}").json()
        path = f"/v1/authorizations/{authorization}/handoffs/{record['activeHandoff']['id']}/close"
        self.command(path, {"result": {"type": "completed", "reportedOutcome": reported}}, as_person=as_person)

    def timeline(self, authorization: str) -> list[dict]:
        """Return the entries of an authorization's timeline, the newest first."""
        return self.call("GET", f"/v1/authorizations/{authorization}/timeline?order=newest").json()["entries"]

    def logs(self) -> dict[str, str]:
        """Return what every process has logged, by the name of the file."""
        return {path.name: path.read_text(errors="replace") for path in self.console.log.parent.glob("*.log")}


@contextmanager
def installed(*, bootstrap: str, database: str, prefix: str):
    """Start all processes, and stop them at the end of the block."""
    with (
        PreloadedRun("browser") as run,
        LocalIssuer(tuple(PEOPLE)) as issuer,
        httpx.Client(trust_env=False, timeout=120) as http,
    ):
        collate_url = start_collate(run, *COLLATE)
        installation = Installation(
            run,
            bootstrap=bootstrap,
            collate_url=collate_url,
            prefix=prefix,
            database=database,
            people=issuer.callers_file_entry(PEOPLE),
            settings=SETTINGS,
        )
        installation.apply_topics()
        ingress, worker, projector = (installation.start(verb) for verb in ("ingress", "worker", "projector"))
        installation.migrate()
        # Most tests sign in so, because it takes no time.
        installation.change({"GATEWAY_CONSOLE__TRUST_BEARER": "true"})
        console = installation.start_console(ingress, issuer.url)
        for program in (ingress, worker, projector, console):
            program.await_ready()
        yield Installed(console.url, installation, ingress, console, worker, projector, collate_url, issuer, http)


PEOPLE_OF_TESTS = {"jo.miller": (STAFF,), "sam.ng": (STAFF,), "kim.ops": (ON_CALL,), "ada.all": (STAFF, ON_CALL)}
