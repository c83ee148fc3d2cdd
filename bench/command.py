"""`python -m bench.command`: the processor time of a command inside the worker, without Kafka and without sockets.

Each authorization gets a request, two observations and a revocation. The real applier and watcher read real records,
call the real client of Collate, and make the real outputs, states and log lines. Fixed responses replace the sockets.
There is no floor: compare two versions of the code in alternating runs. The fastest round counts, because other load on
the machine only adds to the others. `--profile` prints where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import uvloop
from prometheus_client import CollectorRegistry
from rich.console import Console

from adapters.collate.call_policy import Slowdown
from adapters.collate.http.transport import CollateTransport
from adapters.collate.open_client import open_client, open_transport
from adapters.http.http_response import HttpResponseReader
from bench.installed import command_record
from consumers.applier.applier import Applier
from consumers.applier.context import ApplierContext
from consumers.applier.settings import ApplierSettings
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.handoffs import RiskRules
from consumers.engine import UNCHANGED, Done, Record
from consumers.watcher.cadence import Cadence
from consumers.watcher.watcher import Watcher
from runtime.gc import tune_gc
from runtime.logs import configure_logs
from runtime.metrics import create_metrics
from runtime.settings import CollateSettings, LogSettings, WatchSettings
from schemas.commands import HandoffClose, HandoffRequest
from schemas.records import source
from schemas.topics import catalogue

if TYPE_CHECKING:
    import httpx

    from adapters.collate.client import CollateClient
    from consumers.engine import OnCommit, Output

console = Console(width=120)
_VERSION = 3
_PAYER = {"id": "payer_example", "displayName": "Example Health", "supportedStates": ["TX"], "status": "active"}
_REST = {
    "policy": {"finalSubmission": "requires_approval"},
    "payer": _PAYER,
    "request": {"payerId": "payer_example", "coverageState": "TX", "serviceCode": {"system": "cpt", "code": "70551"}},
    "questionnaire": [{"linkId": "coverage.memberId", "text": "Member ID", "type": "string", "required": True}],
    "answers": {"item": [{"linkId": "coverage.memberId", "answer": [{"valueString": "TEST-0001"}]}]},
    "requirements": {"version": 6, "questions": [], "documents": [], "issues": []},
    "submission": {"reviewSnapshot": None, "payerReceipt": None, "decision": None},
    "nextAction": {
        "type": "complete_payer_interaction",
        "resolution": {"kind": "manual_handoff"},
        "covers": {"priorAuthorizationVersion": 3, "requirementsVersion": 6, "answersVersion": 9},
    },
    "createdAt": "2026-11-26T17:26:37.201Z",
}


# Both read the authorization and its open handoff, and find nothing new. The second gets the bodies of the first again.
OBSERVATIONS = ("observation", "repeated observation")
STEPS = ("request", *OBSERVATIONS, "revocation")


class FixedTransport(CollateTransport):
    """Answers as Collate would: an authorization needs a handoff, gets one, and gets it revoked."""

    opened: set[str]
    handoff: bytes

    async def _exchange(self, data: bytes) -> httpx.Response:
        """Parse a fixed response to an encoded request."""
        method, target = data[: data.index(b" HTTP/1.1\r\n")].decode().split(" ")
        parts = target.split("/")
        authorization_id, number = parts[3], {b"n": parts[3][5:].encode()}
        if method == "GET":
            read = _OPEN if authorization_id in self.opened else _UNOPENED
            body = (self.handoff if len(parts) > 4 else read) % number
        elif len(parts) == 5:
            self.opened.add(authorization_id)
            body = self.handoff % number
        else:
            body = _CLOSED % number
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        response = HttpResponseReader(1 << 20).feed(head.encode() + body)
        if response is None or isinstance(response, str):
            raise RuntimeError("expected a whole response")
        return response


def _handoff_id(authorization_id: str) -> str:
    return f"mhand_{authorization_id[5:]}"


def _authorization(version: int, pointer: dict[str, str] | None) -> dict[str, Any]:
    own = {"id": "auth_%(n)s", "version": version, "status": "requires_action", "outcome": None}
    return own | _REST | {"activeManualHandoff": pointer}


def _template(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


_UNOPENED = _template(_authorization(_VERSION, None))
_OPEN = _template(_authorization(_VERSION + 1, {"id": "mhand_%(n)s"}))


def _new_handoff() -> bytes:
    # The applier takes a handoff that began long before its request for another actor's.
    now = datetime.now(UTC).isoformat()
    return _template(
        {
            "id": "mhand_%(n)s",
            "version": 1,
            "priorAuthorizationId": "auth_%(n)s",
            "state": "active",
            "result": None,
            "accessAvailable": True,
            "finalSubmitCapable": False,
            "createdAt": now,
            "activatedAt": now,
            "closedAt": None,
        }
    )


_CLOSED = _template(
    {
        "manualHandoffId": "mhand_%(n)s",
        "state": "closing",
        "authorization": {"id": "auth_%(n)s", "version": _VERSION + 2, "status": "processing"},
        "reconciliation": {"id": "recon_1", "state": "pending"},
    }
)


class OneInvocation:
    """The engine's invocation of one key, without the engine."""

    def __init__(self, key: bytes, state: bytes | None) -> None:
        self.key, self.state = key, state
        self.now, self.steady = time.time(), time.monotonic()
        self.since = self.steady
        self.tries = self.failures = 0
        self.timer_at: float | None = None
        self.outputs: list[Output] = []

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = (), on_commit: OnCommit = ()) -> None:
        """Keep the state."""
        self.state = state
        self.outputs += outputs
        for call in on_commit:
            call()

    async def ensure_owned(self) -> None:
        """Return: the partition is always owned."""


class Worker:
    """The handler of a worker."""

    def __init__(self, directory: Path) -> None:
        (directory / "key").write_text("bench")
        settings = CollateSettings(
            base_url="http://127.0.0.1:1",
            allow_plain_http=True,
            api_key_file=directory / "key",
            calls_per_second=1e6,
            max_replicas=1,
        )
        metrics = create_metrics(CollectorRegistry())
        client: CollateClient = open_client(settings, metrics.collate)
        self.transport = FixedTransport(settings.base_url, open_transport(settings)._limits)  # noqa: SLF001 - a stand-in for its sockets
        self.transport.opened = set()
        client._transport = self.transport  # noqa: SLF001 - the same
        writer, rules = EventWriter(catalogue("bench."), source("bench")), RiskRules()
        watch = WatchSettings()
        cadence, slowdown = Cadence.of(watch), Slowdown(watch.longest_stretch)
        self.watcher = Watcher(client, writer, metrics.commands, random.random, cadence, rules, slowdown, 86_400.0)
        self.applier = Applier(
            ApplierContext(
                collate=client,
                event_writer=writer,
                settings=ApplierSettings(digest_key=b"bench" * 4),
                metrics=metrics.commands,
                next_timer=self.watcher.next_timer,
                chance=random.random,
                rules=rules,
            )
        )

    async def run(self, authorizations: list[str], records: dict[str, list[Record]]) -> dict[str, float]:
        """Return the processor seconds of each step."""
        self.transport.handoff = _new_handoff()
        states: dict[str, bytes | None] = dict.fromkeys(authorizations)
        spent = {}
        for step in STEPS:
            invocations = [OneInvocation(one.encode(), states[one]) for one in authorizations]
            began = time.process_time()
            for number, invocation in enumerate(invocations):
                if step in OBSERVATIONS:
                    result = await self.watcher.on_timer(invocation)
                else:
                    result = await self.applier.on_record(invocation, records[step][number])
                if not isinstance(result, Done):
                    raise TypeError(f"expected the end of the {step}, found {result}")
                for call in result.on_commit:
                    call()
                if result.state is not UNCHANGED:
                    states[authorizations[number]] = result.state
            spent[step] = time.process_time() - began
        return spent


def _records(authorizations: list[str]) -> dict[str, list[Record]]:
    made: dict[str, list[Record]] = {"request": [], "revocation": []}
    for number, one in enumerate(authorizations):
        close = HandoffClose.model_validate(
            {"handoffId": _handoff_id(one), "result": {"type": "revoked", "reason": "bench"}}
        )
        for step, command in (("request", HandoffRequest()), ("revocation", close)):
            fields = command_record(one, command, key=step)
            made[step].append(Record(0, number, fields["key"], fields["value"], tuple(fields["headers"]), time.time()))
    return made


async def _main(options: argparse.Namespace, sink: TextIO) -> None:
    configure_logs(LogSettings(format="json"), "worker", sink)
    with tempfile.TemporaryDirectory() as directory:
        worker, profile = Worker(Path(directory)), cProfile.Profile()
        found: list[dict[str, float]] = []
        tune_gc()
        for number in range(options.rounds):
            authorizations = [f"auth_{number:04d}{one:08d}" for one in range(options.commands)]
            records = _records(authorizations)
            if options.profile and number:
                profile.enable()
            found.append(await worker.run(authorizations, records))
            profile.disable()
        for step in found[0]:
            least = min(one[step] for one in found) / options.commands * 1e6
            console.print(f"{step}: {least:.0f} µs")
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--commands", type=int, default=30, help="commands of each kind in a round (30)")
    parser.add_argument("--rounds", type=int, default=60, help="rounds; the fastest counts (60)")
    parser.add_argument("--profile", type=int, default=0, help="print this number of functions, by their own time")
    with Path(os.devnull).open("w") as sink:
        uvloop.run(_main(parser.parse_args(), sink))


if __name__ == "__main__":
    main()
