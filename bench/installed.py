"""Parts of the benchmarks of the whole gateway: an installation without limits, its requests and its metrics."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from local.installation import CALLER, Installation, Program, start_collate
from local.phi_keys import new_keys
from local.processes.run import Run
from schemas.cloudevents import KafkaHeaders
from schemas.commands import Command
from schemas.identity import command_id_from_key
from schemas.records import RecordedCommand, source, write_command
from schemas.topics import catalogue, partition_for

PARTITIONS = 12
COLLATE_MILLISECONDS = 5  # the latency of the simulated Collate
_REVOCATION = '{"result":{"type":"revoked","reason":"bench"}}'


@dataclass(frozen=True, slots=True)
class Bench:
    """An installation with topics of its own, and the URL of its simulated Collate."""

    installed: Installation
    collate: str

    @property
    def events(self) -> str:
        """The topic of the events."""
        return catalogue(self.installed.prefix).events.name

    async def start(self, *verbs: str) -> list[Program]:
        """Start processes, and wait until all are ready."""
        programs = [self.installed.start(verb) for verb in verbs]
        for program in programs:
            await asyncio.to_thread(program.await_ready)
        return programs

    def request(self, number: int, authorization: str, handoff_id: str | None) -> bytes:
        """Return the bytes of an HTTP request for a handoff or, with a handoff, for its revocation."""
        close, body = ("", "{}") if handoff_id is None else (f"/{handoff_id}/close", _REVOCATION)
        return (
            f"POST /v1/authorizations/{authorization}/handoffs{close} HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {self.installed.caller_key}\r\nIdempotency-Key: {number}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


# Settings without limits on rates.
UNLIMITED = {
    "GATEWAY_COLLATE__CALLS_PER_SECOND": "100000",
    "GATEWAY_COLLATE__CONCURRENCY": "512",
    "GATEWAY_COLLATE__MAX_REPLICAS": "1",
    "GATEWAY_INGRESS__CALLER_RATE": "100000",
    "GATEWAY_INGRESS__CALLER_BURST": "100000",
    "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "100000",
    # On a slow machine the rig's brokers have longer sessions, and a worker requires a longer timeout than theirs.
    "GATEWAY_KAFKA__TRANSACTION_TIMEOUT": "60s",
}


@asynccontextmanager
async def fresh_installation(
    bootstrap: str,
    partitions: int = PARTITIONS,
    *,
    settings: Mapping[str, str] | None = None,
    people: str = "",
    database: str | None = None,
) -> AsyncIterator[Bench]:
    """Run a simulated Collate, and create topics, for an installation; without `settings` it has no limits.

    With a database it has a projector, which runs, and a read model in a schema of its own.
    """
    own = {"GATEWAY_TOPICS__PARTITIONS": str(partitions), **(UNLIMITED if settings is None else settings)}
    with Run("bench") as run:
        collate, name = await asyncio.to_thread(fixed_collate, run), uuid.uuid4().hex[:8]
        installed = Installation(
            run,
            bootstrap=bootstrap,
            collate_url=collate,
            prefix=f"bench-{name}.",
            replication=len(bootstrap.split(",")),
            database=database,
            people=people,
            settings=own | {"GATEWAY_READMODEL__SCHEMA_NAME": f"bench_{name}"},
        )
        await asyncio.to_thread(installed.apply_topics)
        bench = Bench(installed, collate)
        if database is not None:
            await asyncio.to_thread(installed.migrate)
            await bench.start("projector")
        yield bench


def fixed_collate(run: Run) -> str:
    """Start a simulated Collate with a fixed latency."""
    return start_collate(run, "--latency-ms", str(COLLATE_MILLISECONDS))


async def make_authorizations(collate: str, count: int, **more: Any) -> list[str]:
    """Create authorizations at a simulated Collate, by default in need of a handoff; return their ids."""
    async with httpx.AsyncClient(trust_env=False) as http:
        made = await http.post(f"{collate}/_sim/authorizations", json={"count": count} | more)
    ids: list[str] = made.raise_for_status().json()["ids"]
    return ids


def calls_at(collate: str, method: str = "") -> int:
    """Count the calls of the API at a simulated Collate, of one method if it is given."""
    routes = get(f"{collate}/_sim/ledger/summary").json()["byRoute"]
    return sum(count for route, count in routes.items() if route.startswith(method) and " /v1/" in route)


def get(url: str) -> httpx.Response:
    """Read an address of this machine. Raises httpx.HTTPError for a status that is no success."""
    return httpx.get(url, trust_env=False).raise_for_status()


def metrics(program: Program) -> dict[str, float]:
    """Return the samples of a process by name and labels."""
    lines = (line.rpartition(" ") for line in get(f"{program.admin_url}/metrics").text.splitlines())
    return {name: float(value) for name, _, value in lines if not name.startswith("#")}


def command_record(authorization: str, data: Command, partitions: int = PARTITIONS) -> dict[str, Any]:
    """Return a command as the ingress writes it: the arguments of a producer's `send` without the topic."""
    command = RecordedCommand(
        id=command_id_from_key(CALLER, authorization, "bench"),
        caller=CALLER,
        authorization_id=authorization,
        accepted_at=datetime.now(UTC),
        data=data,
    )
    headers, value = write_command(command, source("local"), new_keys())
    return record_of(authorization, value, headers, partitions)


def record_of(authorization: str, value: bytes | None, headers: KafkaHeaders, partitions: int) -> dict[str, Any]:
    """Return the arguments of a producer's `send` for a record of an authorization, without the topic."""
    key = authorization.encode()
    return {"value": value, "key": key, "partition": partition_for(key, partitions), "headers": list(headers)}
