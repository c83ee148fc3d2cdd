"""`python -m bench.console`: the console's pages with a million authorizations and 50 people.

A real PostgreSQL has the rows of `bench.reads`. `gateway ingress` reads it, and `gateway console` asks the ingress:
real processes and sockets. Each page is timed alone, then while 50 people poll the work list and open pages. At the end
a browser opens each page with an empty cache: requests, bytes, time to the first paint. It has no worker and no
projector, so all pages say that the read model is old.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import random
import re
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from bench.reads.prepare import prepare
from local.browser.launch import launched
from local.installation import Installation, Program, start_collate
from local.issuer import LocalIssuer
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.processes.ports import free_ports
from local.processes.run import Run
from runtime.settings import ReadModelSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = 50
POLL_SECONDS = 5.0
THINK_SECONDS = 8.0
GOAL_MS = 100.0
FEWEST_RUNS = 20  # for a 95th percentile
MOST_PAGE_BYTES, MOST_COMPRESSED_BYTES, MOST_FRAGMENT_BYTES = 150 << 10, 60 << 10, 20 << 10
FRAGMENT = {"HX-Request": "true"}
GROUP = "all"
PERMISSIONS = (
    "authorization:read",
    "authorization:review",
    "handoff:request",
    "handoff:grant",
    "handoff:close",
    "authorization:watch",
    "operate",
)
_FACTS = """() => {
  const all = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const sent = all.reduce((sum, one) => sum + one.transferSize, 0);
  return [all.length, sent, paint ? paint.startTime : -1, all[0].loadEventEnd];
}"""
console = Console(width=150)


@dataclass(frozen=True, slots=True)
class Served:
    """The running console, and ids that exist."""

    url: str
    program: Program
    issuer: LocalIssuer
    authorizations: int
    commands: tuple[str, ...]

    def pages(self) -> dict[str, list[str]]:
        """Return the addresses of each page, with values by chance."""
        chance = random.Random(7)
        ids = [f"auth_{chance.randrange(self.authorizations)}" for _ in range(200)]
        return {
            "overview": ["/"],
            "work, to do": ["/work"],
            "work, mine": ["/work?tab=mine"],
            "work, open": ["/work?tab=open"],
            "work, closed today": ["/work?tab=closed"],
            "work, contradicted": ["/work?tab=contradicted"],
            "work, one payer": [f"/work?payer=payer_{chance.randrange(50)}" for _ in range(50)],
            "authorization": [f"/authorizations/{one}" for one in ids],
            "command": [f"/commands/{one}" for one in self.commands],
            "search, an id": [f"/search?q={one}" for one in ids],
            "search, a case": [f"/search?q=case%3Dcase-{one.removeprefix('auth_')}" for one in ids],
            "dead letters": ["/dead-letters"],
            "events": ["/events"],
            "developers": ["/developers"],
        }

    def client(self, name: str) -> httpx.AsyncClient:
        """Return a client of a person who is signed in by a proxy."""
        token = self.issuer.token(name, [GROUP])
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
            follow_redirects=True,
            # The server closes an idle connection after 5 s, which is the time between two polls.
            limits=httpx.Limits(keepalive_expiry=3),
        )


@contextmanager
def serving(authorizations: int) -> Iterator[Served]:
    """Run everything that a page needs."""
    with (
        Cluster() as cluster,
        Postgres() as postgres,
        Run("bench-console") as run,
        LocalIssuer() as issuer,
    ):
        dsn = run.directory / "bench-dsn"
        dsn.write_text(postgres.conninfo)
        settings = ReadModelSettings(dsn_file=dsn, read_timeout=timedelta(seconds=30))
        prepare(postgres.conninfo, settings, authorizations)
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        installation = Installation(
            run,
            bootstrap=cluster.bootstrap,
            collate_url=start_collate(run),
            database=postgres.conninfo,
            people=issuer.callers_file_entry({GROUP: PERMISSIONS}),
        )
        installation.apply_topics()
        ingress = installation.start("ingress")
        ingress.await_ready()
        installation.change(
            {
                "GATEWAY_CONSOLE__HOST": "127.0.0.1",
                "GATEWAY_CONSOLE__PORT": str(port),
                "GATEWAY_CONSOLE__PUBLIC_URL": url,
                "GATEWAY_CONSOLE__API_URL": ingress.url,
                "GATEWAY_CONSOLE__TRUST_BEARER": "true",
            }
        )
        program = installation.start("console")
        program.await_ready()
        yield Served(url, program, issuer, authorizations, _commands(postgres.conninfo, settings.schema_name))


def _commands(conninfo: str, schema: str) -> tuple[str, ...]:
    with psycopg.connect(conninfo) as connection:
        connection.execute(f"SET search_path TO {schema}")
        rows = connection.execute("SELECT command_id FROM commands TABLESAMPLE SYSTEM (0.1) LIMIT 200").fetchall()
    return tuple(str(row[0]) for row in rows)


async def alone(served: Served, times: int) -> dict[str, list[float]]:
    """Return the milliseconds of each page without other load. The first three are not counted."""
    found: dict[str, list[float]] = {}
    async with served.client("alone") as client:
        for name, addresses in served.pages().items():
            found[name] = [await _timed(client, addresses[n % len(addresses)]) for n in range(times + 3)][3:]
    return found


async def together(served: Served, seconds: float) -> tuple[dict[str, list[float]], list[float]]:
    """Let 50 people work. Return the milliseconds of each page, and those of the polls of the work list."""
    pages: dict[str, list[float]] = {name: [] for name in served.pages()}
    polls: list[float] = []
    until = time.monotonic() + seconds

    async def poll(client: httpx.AsyncClient, chance: random.Random) -> None:
        await asyncio.sleep(chance.random() * POLL_SECONDS)
        etag = ""
        while time.monotonic() < until:
            began = time.perf_counter()
            response = await client.get("/work", headers=FRAGMENT | ({"If-None-Match": etag} if etag else {}))
            polls.append((time.perf_counter() - began) * 1_000)
            etag = response.headers.get("etag", etag)
            await asyncio.sleep(POLL_SECONDS)

    async def browse(client: httpx.AsyncClient, chance: random.Random) -> None:
        addresses = served.pages()
        while time.monotonic() < until:
            await asyncio.sleep(chance.random() * 2 * THINK_SECONDS)
            name = chance.choice(list(addresses))
            pages[name].append(await _timed(client, chance.choice(addresses[name])))

    async def work(number: int) -> None:
        async with served.client(f"person.{number}") as client:
            await asyncio.gather(poll(client, random.Random(number)), browse(client, random.Random(-number)))

    await asyncio.gather(*(work(number) for number in range(PEOPLE)))
    return pages, polls


async def _timed(client: httpx.AsyncClient, address: str) -> float:
    began = time.perf_counter()
    response = await client.get(address)
    if response.status_code != httpx.codes.OK:
        raise SystemExit(f"{address}: {response.status_code} {response.text[:300]}")
    return (time.perf_counter() - began) * 1_000


async def sizes(served: Served) -> Table:
    """Return a table of the bytes of each page with everything that it needs, plain and compressed, and its parts."""
    table = Table("page", "html", "with assets", "compressed", "fragment", "within")
    async with served.client("sizes") as client:
        for name, addresses in served.pages().items():
            html = (await client.get(addresses[0])).content
            fragment = (await client.get(addresses[0], headers=FRAGMENT)).content
            assets = sorted(set(re.findall(rb'(?:src|href)="(/static/[^"]+)"', html)))
            whole = [html, *[(await client.get(path.decode())).content for path in assets]]
            plain, compressed = sum(map(len, whole)), sum(len(gzip.compress(one, 6)) for one in whole)
            has_part = len(fragment) != len(html)
            within = (
                plain <= MOST_PAGE_BYTES
                and compressed <= MOST_COMPRESSED_BYTES
                and (not has_part or len(fragment) <= MOST_FRAGMENT_BYTES)
            )
            table.add_row(
                name,
                f"{len(html):,}",
                f"{plain:,}",
                f"{compressed:,}",
                f"{len(fragment):,}" if has_part else "no part",
                "yes" if within else "NO",
            )
    return table


async def painted(served: Served) -> Table:
    """Return a table of what a browser with an empty cache sees."""
    table = Table("page", "requests", "bytes sent", "first paint ms", "loaded ms")
    async with launched() as browser:
        for name, addresses in served.pages().items():
            token = served.issuer.token("browser", [GROUP])
            context = await browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})
            page = await context.new_page()
            await page.goto(f"{served.url}{addresses[0]}", wait_until="load")
            await page.wait_for_timeout(300)
            requests, sent, paint, loaded = await page.evaluate(_FACTS)
            table.add_row(name, str(requests), f"{sent:,}", f"{paint:.0f}", f"{loaded:.0f}")
            await context.close()
    return table


def _times_table(title: str, found: dict[str, list[float]]) -> Table:
    table = Table("page", "n", "p50 ms", "p95 ms", "max ms", f"p95 ≤ {GOAL_MS:.0f}", title=title, title_justify="left")
    for name, all_ms in found.items():
        if len(all_ms) > 1:
            p50, p95 = statistics.median(all_ms), statistics.quantiles(all_ms, n=20)[-1]
            verdict = "few runs" if len(all_ms) < FEWEST_RUNS else "yes" if p95 <= GOAL_MS else "NO"
            table.add_row(name, str(len(all_ms)), f"{p50:.1f}", f"{p95:.1f}", f"{max(all_ms):.1f}", verdict)
    return table


async def _measure(served: Served, times: int, seconds: float) -> None:
    console.print(_times_table("each page alone", await alone(served, times)))
    process = psutil.Process(served.program.process.pid)
    before = sum(process.cpu_times()[:2])
    pages, polls = await together(served, seconds)
    used = sum(process.cpu_times()[:2]) - before
    title = f"{PEOPLE} people, a poll each {POLL_SECONDS:.0f} s and a page each {THINK_SECONDS:.0f} s"
    everything = [one for all_ms in pages.values() for one in all_ms]
    console.print(_times_table(title, {**pages, "all pages": everything, "polls of the work list": polls}))
    memory = process.memory_info().rss >> 20
    console.print(f"the console used {used / seconds:.0%} of a core and {memory} MiB")
    console.print(await sizes(served))
    console.print(await painted(served))


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--authorizations", type=int, default=1_000_000, help="authorizations, three commands each")
    parser.add_argument("--times", type=int, default=60, help="runs of each page (60)")
    parser.add_argument("--seconds", type=float, default=60, help="seconds of the run with 50 people (60)")
    options = parser.parse_args()
    with serving(options.authorizations) as served:
        asyncio.run(_measure(served, options.times, options.seconds))


if __name__ == "__main__":
    main()
