"""`python -m bench.fair`: how long the commands of two callers take beside the backlog of greedy callers.

Real Kafka, one ingress, one worker, and 20 calls per second to the simulated Collate. Greedy callers send watches as
fast as the ingress accepts them. Meanwhile the caller B sends a request every 3 s, and the person C a report every 5 s.
A first run has the greedy callers alone. A command without an outcome counts with the time that it has waited.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import secrets
import time
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console
from rich.table import Table

from bench.chain.load import Outcomes, reading_outcomes
from bench.http_calls import Connections
from bench.installed import get, make_authorizations
from local.installation import Installation, start_collate
from local.issuer import LocalIssuer
from local.kafka.nodes import Cluster
from local.processes.run import Run
from schemas.topics import catalogue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

console = Console(width=120)
_CALLS_PER_SECOND = 20
_LEAD_SECONDS = 15.0
_REQUEST_EVERY, _REPORT_EVERY = 3.0, 5.0
_SENDERS = 8
_RETRY_SECONDS = 0.5
_WATCH, _HANDOFFS = "authorization:watch", ("handoff:request", "handoff:close")
_REPORT = '{"result":{"type":"unable_to_complete","reason":"bench"}}'
_COLUMNS = ("caller", "commands", "p50 s", "p99 s", "longest s", "unfinished", "not applied")
Writes = dict[str, float]  # when each command of a caller was sent, by its id


def _row(writes: Writes, outcomes: Outcomes, now: float) -> tuple[str, ...]:
    """Return count, p50, p99 and longest time in seconds, unfinished commands, and other outcomes than applied."""
    ends = [(sent_at, outcomes.seen.get(command)) for command, sent_at in writes.items()]
    seconds = sorted((end.at if end else now) - sent_at for sent_at, end in ends)
    at = [f"{seconds[min(len(seconds) - 1, int(len(seconds) * share))]:.1f}" for share in (0.5, 0.99, 1.0)]
    other = sum(end is not None and end.outcome not in {"applied", "already_done"} for _, end in ends)
    return str(len(ends)), *at, str(sum(end is None for _, end in ends)), str(other)


class Gateway:
    """A running installation, its simulated Collate, and its callers."""

    def __init__(self, address: str, collate: str, outcomes: Outcomes) -> None:
        self.collate = collate
        self.outcomes = outcomes
        self._address = address
        self._connections = Connections(address)

    async def send(self, token: str, path: str, body: str, writes: Writes) -> str:
        """Send a command until it is accepted; return its id."""
        sent_at, key = time.perf_counter(), uuid.uuid4()
        request = (
            f"POST /v1/authorizations/{path} HTTP/1.1\r\nHost: {self._address}\r\nAuthorization: Bearer {token}\r\n"
            f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        while (response := await self._connections.call(request))[0] in {429, 503}:  # noqa: ASYNC110 - a client retries
            await asyncio.sleep(_RETRY_SECONDS)
        if response[0] != 202:
            raise RuntimeError(f"expected 202, got {response[0]}: {response[1][:300]!r}")
        command_id: str = json.loads(response[1])["commandId"]
        writes[command_id] = sent_at
        return command_id

    async def watch(self, token: str, authorizations: Sequence[str], writes: Writes) -> None:
        """Send a watch for each authorization, as fast as they are accepted."""
        left = iter(authorizations)

        async def send_rest() -> None:
            for authorization in left:
                await self.send(token, f"{authorization}/watch", "{}", writes)

        await asyncio.gather(*(send_rest() for _ in range(_SENDERS)))

    async def open_handoffs(self, token: str, count: int) -> list[str]:
        """Open handoffs while nothing else runs; return the path of each close."""
        authorizations = make_authorizations(self.collate, count)
        commands = [await self.send(token, f"{one}/handoffs", "{}", {}) for one in authorizations]
        ends = [await self.outcomes.of(command) for command in commands]
        return [f"{one}/handoffs/{end.handoff_id}/close" for one, end in zip(authorizations, ends, strict=True)]

    async def pace(self, token: str, paths: Sequence[str], body: str, every: float, writes: Writes) -> None:
        """Send a command to each path, one every few seconds."""
        async with asyncio.TaskGroup() as sending:
            for path in paths:
                sending.create_task(self.send(token, path, body, writes))
                await asyncio.sleep(every)

    def calls(self) -> int:
        """Count the calls at Collate."""
        routes = get(f"{self.collate}/_sim/ledger/summary").json()["byRoute"]
        return sum(count for route, count in routes.items() if "/v1" in route)


def _caller(name: str, *permissions: str) -> tuple[str, str]:
    """Return the key of a caller and its entry in the callers file."""
    key_id = secrets.token_hex(4)
    key = f"cgk_{key_id}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    entry = f'[[caller]]\nname = "{name}"\npermissions = {json.dumps(permissions)}\n'
    return key, f'{entry}[[caller.key]]\nid = "{key_id}"\nsha256 = "{digest}"\n'


@asynccontextmanager
async def _running(bootstrap: str, partitions: int, callers: str) -> AsyncIterator[Gateway]:
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", "20")
        settings = {
            "GATEWAY_TOPICS__PARTITIONS": str(partitions),
            "GATEWAY_COLLATE__CALLS_PER_SECOND": str(_CALLS_PER_SECOND),
            "GATEWAY_COLLATE__CONCURRENCY": "8",
            "GATEWAY_COLLATE__MAX_REPLICAS": "1",
        }
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        installed = Installation(
            run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, people=callers, settings=settings
        )
        installed.apply_topics()
        ingress, worker = installed.start("ingress"), installed.start("worker")
        for process in (ingress, worker):
            await asyncio.to_thread(process.await_ready)
        async with reading_outcomes(bootstrap, catalogue(prefix).events.name) as outcomes:
            yield Gateway(ingress.url.removeprefix("http://"), collate, outcomes)


async def _measure(bootstrap: str, options: argparse.Namespace, *, with_others: bool) -> float:
    """Run once; print the times of each caller, and return the calls per second at Collate."""
    greedy = [_caller(f"greedy{number}", _WATCH) for number in range(options.greedy)]
    b_key, b_entry = _caller("b", *_HANDOFFS)
    with LocalIssuer(token_seconds=2 * options.seconds + 3_600) as issuer:
        callers = "".join([*(entry for _, entry in greedy), b_entry, issuer.callers_file_entry({"staff": _HANDOFFS})])
        c_token = issuer.token("c", ["staff"])
        async with _running(bootstrap, options.partitions, callers) as it:
            closes = await it.open_handoffs(c_token, int(options.seconds / _REPORT_EVERY)) if with_others else []
            requests = make_authorizations(it.collate, int(options.seconds / _REQUEST_EVERY)) if with_others else []
            share = options.watches // options.greedy
            a, b, c = Writes(), Writes(), Writes()
            watching = [
                asyncio.create_task(it.watch(key, make_authorizations(it.collate, share), a)) for key, _ in greedy
            ]
            await asyncio.sleep(_LEAD_SECONDS)
            began, calls = time.perf_counter(), it.calls()
            others = [
                asyncio.create_task(it.pace(b_key, [f"{one}/handoffs" for one in requests], "{}", _REQUEST_EVERY, b)),
                asyncio.create_task(it.pace(c_token, closes, _REPORT, _REPORT_EVERY, c)),
            ]
            await asyncio.sleep(options.seconds)
            rate = (it.calls() - calls) / (time.perf_counter() - began)
            await asyncio.wait(others, timeout=_REQUEST_EVERY + _REPORT_EVERY)
            await asyncio.sleep(_REPORT_EVERY)
            now = time.perf_counter()
            for task in (*watching, *others):
                task.cancel()
            errors = await asyncio.gather(*watching, *others, return_exceptions=True)
            if failed := [error for error in errors if isinstance(error, Exception)]:
                raise failed[0]
            table = Table(title=f"{options.greedy} greedy, {options.partitions} partitions: {rate:.1f} calls/s")
            for column in _COLUMNS:
                table.add_column(column, justify="right")
            for name, writes in (("A watches", a), ("B requests", b), ("C reports", c)):
                if writes:
                    table.add_row(name, *_row(writes, it.outcomes, now))
            console.print(table)
            return rate


async def _main(options: argparse.Namespace) -> None:
    with Cluster(brokers=1, long_lived=True) as cluster:
        alone = await _measure(cluster.bootstrap, options, with_others=False)
        together = await _measure(cluster.bootstrap, options, with_others=True)
        console.print(f"calls per second at Collate: {together / alone:.3f} of the greedy callers alone")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=60, help="seconds to measure (60)")
    parser.add_argument("--watches", type=int, default=1_800, help="watches of all greedy callers (1,800)")
    parser.add_argument("--greedy", type=int, default=1, help="number of greedy callers (1)")
    parser.add_argument("--partitions", type=int, default=12, help="partitions (12)")
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
