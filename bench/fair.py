"""`python -m bench.fair`: how long the commands of two callers take beside the backlog of greedy callers.

Real Kafka, one ingress, one worker, and 20 calls per second to the simulated Collate. Greedy callers send watches as
fast as the ingress accepts them. Meanwhile the caller B sends a request every 3 s, and the person C a report every 5 s.
A first run has the greedy callers alone. A command without an outcome counts with the time that it has waited.
"""

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Sequence

import uvloop

from bench.floors.bare_calls import BareCalls
from bench.harness import console, milliseconds, options, show
from bench.installed import Bench, calls_at, fresh_installation, make_authorizations
from bench.steady import Outcomes, reading_outcomes
from local.installation import Program, new_caller
from local.issuer import LocalIssuer
from local.kafka.nodes import Cluster

_SETTINGS = {
    "GATEWAY_COLLATE__CALLS_PER_SECOND": "20",
    "GATEWAY_COLLATE__CONCURRENCY": "8",
    "GATEWAY_COLLATE__MAX_REPLICAS": "1",
}
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
    at = [f"{milliseconds(seconds, share) / 1_000:.1f}" for share in (0.5, 0.99, 1.0)]
    other = sum(end is not None and end.outcome not in {"applied", "already_done"} for _, end in ends)
    return str(len(ends)), *at, str(sum(end is None for _, end in ends)), str(other)


class Gateway:
    """A running installation and its callers."""

    def __init__(self, bench: Bench, ingress: Program, outcomes: Outcomes) -> None:
        self.collate = bench.collate
        self.outcomes = outcomes
        self._calls = BareCalls(ingress.url)

    async def send(self, token: str, path: str, body: str, writes: Writes) -> str:
        """Send a command until it is accepted; return its id."""
        sent_at, key = time.perf_counter(), uuid.uuid4()
        request = (
            f"POST /v1/authorizations/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        while (response := await self._calls.call(request))[0] in {429, 503}:  # noqa: ASYNC110 - a client retries
            await asyncio.sleep(_RETRY_SECONDS)
        if response[0] != 202:
            raise RuntimeError(f"expected 202, got {response[0]}: {response[1][:300]!r}")
        command_id: str = json.loads(response[1])["commandId"]
        writes[command_id] = sent_at
        return command_id

    async def watch(self, token: str, count: int, writes: Writes) -> None:
        """Send a watch for each of so many authorizations, as fast as they are accepted."""
        left = iter(await make_authorizations(self.collate, count))

        async def send_rest() -> None:
            for authorization in left:
                await self.send(token, f"{authorization}/watch", "{}", writes)

        await asyncio.gather(*(send_rest() for _ in range(_SENDERS)))

    async def open_handoffs(self, token: str, count: int) -> list[str]:
        """Open handoffs while nothing else runs; return the path of each close."""
        ids = await make_authorizations(self.collate, count)
        commands = [await self.send(token, f"{one}/handoffs", "{}", {}) for one in ids]
        ends = [await self.outcomes.of(command) for command in commands]
        return [f"{one}/handoffs/{end.handoff_id}/close" for one, end in zip(ids, ends, strict=True)]

    async def pace(self, token: str, paths: Sequence[str], body: str, every: float, writes: Writes) -> None:
        """Send a command to each path, one every few seconds."""
        async with asyncio.TaskGroup() as sending:
            for path in paths:
                sending.create_task(self.send(token, path, body, writes))
                await asyncio.sleep(every)


async def _measure(bootstrap: str, given: argparse.Namespace, *, with_others: bool) -> float:
    """Run once; print the times of each caller, and return the calls per second at Collate."""
    greedy = [new_caller(f"greedy{number}", [_WATCH]) for number in range(given.greedy)]
    b_key, b_entry = new_caller("b", _HANDOFFS)
    with LocalIssuer(token_seconds=2 * given.seconds + 3_600) as issuer:
        people = "".join([*(entry for _, entry in greedy), b_entry, issuer.callers_file_entry({"staff": _HANDOFFS})])
        c_token = issuer.token("c", ["staff"])
        async with fresh_installation(bootstrap, given.partitions, settings=_SETTINGS, people=people) as bench:
            ingress, _ = await bench.start("ingress", "worker")
            async with reading_outcomes(bootstrap, bench.events) as outcomes:
                it, a, b, c = Gateway(bench, ingress, outcomes), Writes(), Writes(), Writes()
                closes = await it.open_handoffs(c_token, int(given.seconds / _REPORT_EVERY)) if with_others else []
                count = int(given.seconds / _REQUEST_EVERY) if with_others else 0
                requests = [f"{one}/handoffs" for one in await make_authorizations(it.collate, count)] if count else []
                share = given.watches // given.greedy
                tasks = [asyncio.create_task(it.watch(key, share, a)) for key, _ in greedy]
                await asyncio.sleep(_LEAD_SECONDS)
                began, calls = time.perf_counter(), calls_at(it.collate)
                others = [
                    asyncio.create_task(it.pace(b_key, requests, "{}", _REQUEST_EVERY, b)),
                    asyncio.create_task(it.pace(c_token, closes, _REPORT, _REPORT_EVERY, c)),
                ]
                await asyncio.sleep(given.seconds)
                rate = (calls_at(it.collate) - calls) / (time.perf_counter() - began)
                await asyncio.wait(others, timeout=_REQUEST_EVERY + _REPORT_EVERY)
                await asyncio.sleep(_REPORT_EVERY)
                now = time.perf_counter()
                tasks += others
                for task in tasks:
                    task.cancel()
                errors = await asyncio.gather(*tasks, return_exceptions=True)
                if failed := [error for error in errors if isinstance(error, Exception)]:
                    raise failed[0]
                rows = ((name, *_row(of, outcomes, now)) for name, of in (("A", a), ("B", b), ("C", c)) if of)
                title = f"{given.greedy} greedy, {given.partitions} partitions: {rate:.1f} calls/s"
                show(f"{title}; A watches, B requests, C reports", _COLUMNS, rows)
                return rate


async def _main(given: argparse.Namespace) -> None:
    with Cluster(brokers=1, long_lived=True) as cluster:
        alone = await _measure(cluster.bootstrap, given, with_others=False)
        if not alone:
            raise SystemExit(f"--watches {given.watches} end before the measurement begins; give more")
        together = await _measure(cluster.bootstrap, given, with_others=True)
        console.print(f"calls per second at Collate: {together / alone:.3f} of the greedy callers alone")


if __name__ == "__main__":
    uvloop.run(
        _main(
            options(
                __doc__,
                seconds=(60, "seconds to measure"),
                watches=(1_800, "watches of all greedy callers"),
                greedy=(1, "number of greedy callers"),
                partitions=(12, "partitions"),
            )
        )
    )
