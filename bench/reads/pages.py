"""`python -m bench.reads.pages`: the console's pages with 100,000 authorizations, and with 1,000 in the same run.

Each size has a read model, an ingress and a console of its own; they share PostgreSQL, Kafka and a simulated Collate.
A person opens the pages one after the other, at both sizes in turn. The time is that of the whole response: console,
ingress, PostgreSQL, and for the workbench Collate. Both sizes fill each page: of 1,000 authorizations ten times as many
wait. The overview's numbers are at most 5 s old, so most pages find them in the console's memory.
"""

import argparse
import asyncio
import random
import statistics
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from bench.floors.bare_calls import BareCalls
from bench.harness import append, options, show
from bench.installed import PARTITIONS, UNLIMITED, fixed_collate, post
from bench.processes import seconds_of
from bench.reads.data import CALLERS, EVERY, fill
from local.installation import Installation, Program
from local.issuer import LocalIssuer
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.processes.run import Run
from local.stack import PEOPLE
from runtime.settings import ReadModelSettings
from schemas.dead_letter import DeadLetter, OriginalRecord
from schemas.records import write_dead_letter
from schemas.topics import catalogue, partition_for

_GOAL_MS: Final = 25.0
_GOAL_RATIO: Final = 1.5
_SMALL: Final = (1_000, EVERY // 10)
_WARM_UP: Final = 5
_LETTERS_READ_SECONDS: Final = 3.0  # the ingress follows their topic
_PERSON: Final = "person-1"
_PAGES: Final = {
    "overview": "/",
    "work list": "/work",
    "work list, mine": "/work?tab=mine",
    "work list, open": "/work?tab=open",
    "work list, closed today": "/work?tab=closed",
    "work list, contradicted": "/work?tab=contradicted",
    "work list, by payer": "/work?payer={payer}",
    "work list, by person": "/work?claimedBy=people:{person}",
    "work list, not claimed": "/work?claimedBy=none",
    "work list, by team": "/work?metadata.team={team}",
    "work list, by case": "/work?metadata.case={case}",
    "commands": "/commands",
    "commands, oldest first": "/commands?order=oldest",
    "commands, waiting": "/commands?status=waiting",
    "commands, finished": "/commands?status=finished",
    "commands, by kind": "/commands?kind=handoff.request",
    "commands, by reason": "/commands?reason={reason}",
    "commands, by caller": "/commands?caller={caller}",
    "commands, by authorization": "/commands?authorizationId={one}",
    "commands, by team": "/commands?metadata=team%3D{team}",
    "commands, by case": "/commands?metadata=case%3D{case}",
    "commands, waiting, by caller and team": "/commands?status=waiting&caller={caller}&metadata=team%3D{team}",
    "command": "/commands/{command}",
    "authorization": "/authorizations/{one}",
    "workbench, to review": "/authorizations/{waits}/work",
    "workbench, open handoff": "/authorizations/{open}/work",
    "dead letters": "/dead-letters",
    "dead letter": "/dead-letters/{letter}",
    "search, the beginning of an id": "/search?q=auth_{digit}",
    "search, a case": "/search?q=case%3D{case}",
}
# Authorizations and commands of the model, for the addresses.
_IDS: Final = {
    "one": "SELECT authorization_id FROM authorizations ORDER BY md5(authorization_id) LIMIT 40",
    "waits": "SELECT authorization_id FROM authorizations WHERE action_required_at IS NOT NULL"
    " AND active_handoff_id IS NULL ORDER BY md5(authorization_id) LIMIT 40",
    "open": "SELECT authorization_id FROM authorizations WHERE active_handoff_id IS NOT NULL"
    " ORDER BY md5(authorization_id) LIMIT 40",
    "command": "SELECT command_id FROM commands ORDER BY md5(command_id) LIMIT 40",
}


@dataclass(slots=True)
class Size:
    """A read model of one size, its ingress and console, and of each page the milliseconds, rows and processor time."""

    authorizations: int
    every: int
    console: BareCalls
    processes: tuple[Program, ...]
    ids: Mapping[str, list[str]]
    times: dict[str, list[float]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)

    def processor_seconds(self) -> float:
        """Return the processor time that the ingress and the console have used."""
        return sum(seconds_of(program.process.pid) for program in self.processes)

    def address(self, template: str, chance: random.Random, letters: list[str]) -> str:
        """Return the address of a page with values by chance."""
        some = max(1, 2 * self.every // 5)
        return template.format(
            payer=f"payer_{chance.randrange(self.every)}",
            person=f"person-{chance.randrange(some)}",
            team=f"team-{chance.randrange(some)}",
            reason=f"reason_{chance.randrange(self.every // 5)}",
            case=f"case-{chance.randrange(self.authorizations)}",
            caller=chance.choice(CALLERS[:-1]),
            digit=chance.randrange(10, 100),
            letter=chance.choice(letters),
            **{name: chance.choice(ids) for name, ids in self.ids.items()},
        )

    async def visit(self, name: str, address: str, headers: str) -> None:
        """Open a page. Raises RuntimeError for a page that is an error."""
        began = time.perf_counter()
        status, body = await self.console.call(f"GET {address} HTTP/1.1\r\n{headers}\r\n".encode())
        milliseconds = (time.perf_counter() - began) * 1_000
        if status != 200 or b'class="problem"' in body:
            raise RuntimeError(f"{address} answered {status}: {body[-2_000:]!r}")
        self.times.setdefault(name, []).append(milliseconds)
        self.rows[name] = max(self.rows.get(name, 0), body.count(b"data-row "))


async def _write_letters(bootstrap: str, prefix: str, authorizations: list[str]) -> list[str]:
    """Write a dead letter of each authorization, and return the ids of their commands."""
    now, found = datetime.now(UTC), []
    records: list[dict[str, Any]] = []
    for number, authorization in enumerate(authorizations):
        command_id = str(uuid.uuid4())
        dead_letter = DeadLetter(
            command_id=command_id,
            command="collate-gateway.handoff.request.v1",
            caller=CALLERS[number % len(CALLERS)],
            authorization_id=authorization,
            accepted_at=now - timedelta(hours=2),
            dead_at=now - timedelta(minutes=number),
            cause="outcome_unknown",
            advice="Look at the authorization, then redrive or discard.",
            intents=[],
            record=OriginalRecord.of(0, number, (), b"{}"),
        )
        headers, value = write_dead_letter(dead_letter, "/bench")
        key = authorization.encode()
        records.append(
            {"value": value, "key": key, "headers": list(headers), "partition": partition_for(key, PARTITIONS)}
        )
        found.append(command_id)
    await append(bootstrap, catalogue(prefix).dead_letters.name, records)
    return found


def _ids(conninfo: str, schema: str) -> dict[str, list[str]]:
    """Return ids of the model, which from now on looks as if its projector reports."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (schema,))
        connection.execute("INSERT INTO pulse (id, at, behind) VALUES (1, now() + interval '1 hour', 0)")
        return {name: [row[0] for row in connection.execute(statement)] for name, statement in _IDS.items()}


async def _sizes(exits: ExitStack, installed: Installation, large: int) -> list[Size]:
    """Start an ingress and a console for each size."""
    found = []
    for schema, (authorizations, every) in {"small": _SMALL, "large": (large, EVERY)}.items():
        dsn = installed.directory / "dsn"
        await fill(dsn.read_text(), ReadModelSettings(dsn_file=dsn, schema_name=schema), authorizations, every)
        ids = _ids(dsn.read_text(), schema)
        installed.change({"GATEWAY_READMODEL__SCHEMA_NAME": schema})
        ingress = installed.start("ingress", f"ingress-{schema}")
        await asyncio.to_thread(ingress.await_ready)
        console = installed.start_console(ingress)
        await asyncio.to_thread(console.await_ready)
        calls = BareCalls(console.url)
        exits.callback(calls.close)
        found.append(Size(authorizations, every, calls, (ingress, console), ids))
    return found


async def _run(given: argparse.Namespace) -> None:
    with ExitStack() as exits:
        cluster, postgres = exits.enter_context(Cluster()), exits.enter_context(Postgres())
        run, issuer = exits.enter_context(Run("bench")), exits.enter_context(LocalIssuer(tuple(PEOPLE)))
        installed = Installation(
            run,
            bootstrap=cluster.bootstrap,
            collate_url=(collate := fixed_collate(run)),
            database=postgres.conninfo,
            people=issuer.callers_file_entry(PEOPLE),
            settings={
                **UNLIMITED,
                "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
                "GATEWAY_CONSOLE__TRUST_BEARER": "true",
                "GATEWAY_CONSOLE__CASE_COLUMNS": "case=Case,team=Team",
            },
        )
        installed.apply_topics()
        sizes = await _sizes(exits, installed, given.authorizations)
        waiting = [one for size in sizes for one in size.ids["waits"]]
        known = {*waiting, *(one for size in sizes for one in size.ids["open"])}
        post(f"{collate}/_sim/authorizations", {"ids": sorted(known), "reviewBacked": True})
        letters = await _write_letters(cluster.bootstrap, installed.prefix, sorted(set(waiting)))
        headers = (
            f"Host: 127.0.0.1\r\nAuthorization: Bearer {issuer.token(_PERSON, tuple(PEOPLE))}\r\n"
            "Sec-Fetch-Site: same-origin\r\n"
        )
        chance = random.Random(7)
        await asyncio.sleep(_LETTERS_READ_SECONDS)
        for name, template in _PAGES.items():
            before = [size.processor_seconds() for size in sizes]
            for _ in range(given.times + _WARM_UP):
                for size in sizes:
                    await size.visit(name, size.address(template, chance, letters), headers)
            for size, seconds in zip(sizes, before, strict=True):
                size.used[name] = (size.processor_seconds() - seconds) / (given.times + _WARM_UP) * 1_000
    _show(*sizes)


def _show(small: Size, large: Size) -> None:
    rows = []
    for name in _PAGES:
        p50 = [statistics.median(size.times[name][_WARM_UP:]) for size in (small, large)]
        p95 = statistics.quantiles(large.times[name][_WARM_UP:], n=20)[-1]
        ratio = p50[1] / p50[0]
        verdict = "yes" if p50[1] <= _GOAL_MS and ratio <= _GOAL_RATIO else "NO"
        shown = (
            f"{small.rows[name]}",
            f"{p50[0]:.1f}",
            f"{large.rows[name]}",
            f"{p50[1]:.1f}",
            f"{p95:.1f}",
            f"{large.used[name]:.1f}",
        )
        rows.append((name, *shown, f"{ratio:.2f}", verdict))
    columns = ("page", "rows", "p50 ms", "rows", "p50 ms", "p95 ms", "processor ms", "ratio", "goal")
    show(f"Pages with {small.authorizations:,} and with {large.authorizations:,} authorizations", columns, rows)


if __name__ == "__main__":
    asyncio.run(
        _run(
            options(
                __doc__,
                authorizations=(100_000, "authorizations, three commands each"),
                times=(30, "visits of each page at each size"),
            )
        )
    )
