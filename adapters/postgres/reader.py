"""The connections for reads: a bounded pool with a time limit per read.

One caller's reads take at most half of the connections and wait for each other, so that they do not delay those of the
others. While the database is away, reads fail immediately. A probe every second detects when it is back.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import AsyncConnection

from adapters.postgres.database import (
    BoundedConnection,
    DatabaseAway,
    NotMigrated,
    allowed_connections,
    conninfo_of,
    open_connections,
    translated,
)
from adapters.postgres.schema_version import require_schema
from runtime.logs import Log
from runtime.metrics import ReadModelMetrics
from runtime.outages.outage import Outage
from runtime.settings import ReadModelSettings

PROBE_SECONDS = 1.0
READ_SECONDS = 2.0  # with the wait for a connection; a caller retries a 503 sooner than it waits longer
_PROBE = ""  # no caller has this name
Result = TypeVar("Result")
Query = Callable[[AsyncConnection[Any]], Awaitable[Result]]


class ReadModelBusy(Exception):
    """All connections are in use, or the read exceeded its time limit."""


@dataclass(slots=True)
class _Share:
    slots: asyncio.Semaphore
    reads: int = 0


class ReadModelReader:
    """Runs queries on the read model. `run` must run as a task."""

    def __init__(
        self, settings: ReadModelSettings, metrics: ReadModelMetrics, log: Log, *, seconds: float = READ_SECONDS
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._seconds = seconds
        self._slots = asyncio.Semaphore(settings.connections)
        self._share = (settings.connections + 1) // 2
        self._shares: dict[str, _Share] = {}
        self._idle: list[AsyncConnection[Any]] = []
        self._problem: str | None = "not connected yet"
        self._outage = Outage("database", log, is_on=True)

    async def fetch(self, name: str, query: Query[Result], caller: str) -> Result:
        """Return the query's result; `name` labels the metric. Raises DatabaseAway, NotMigrated, ReadModelBusy."""
        if self._problem is not None:
            raise DatabaseAway(self._problem)
        with self._metrics.read_seconds.labels(name).time():
            return await self._fetch(query, caller)

    async def run(self) -> None:
        """Probe the database until cancelled."""
        try:
            while True:
                await self._probe()
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            await self._close_idle()

    async def _fetch(self, query: Query[Result], caller: str) -> Result:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds), self._share_of(caller), self._slots:
                if self._idle:
                    connection = self._idle.pop()
                    try:
                        return await self._use(connection, query)
                    except DatabaseAway:
                        # An idle connection was lost, so the others are probably lost too. Retry once on a new
                        # connection.
                        await self._close_idle()
                return await self._use(await self._connect(), query)
        except TimeoutError:
            raise ReadModelBusy(f"no result within {time.monotonic() - began:.1f} s") from None
        except (DatabaseAway, NotMigrated) as away:
            self._report(str(away))
            raise

    @asynccontextmanager
    async def _share_of(self, caller: str) -> AsyncIterator[None]:
        share = self._shares.setdefault(caller, _Share(asyncio.Semaphore(self._share)))
        share.reads += 1
        try:
            async with share.slots:
                yield
        finally:
            share.reads -= 1
            if not share.reads:
                del self._shares[caller]

    async def _connect(self) -> AsyncConnection[Any]:
        with translated():
            connection = await BoundedConnection.connect(conninfo_of(self._settings, "ingress reads"), autocommit=True)
            try:
                await connection.prepare(self._settings.schema_name, self._seconds)
                # The best index of a list depends on the values: a caller with a million commands, or with ten.
                await connection.execute("SET plan_cache_mode = force_custom_plan")
            except BaseException:
                await connection.close()
                raise
        return connection

    async def _use(self, connection: AsyncConnection[Any], query: Query[Result]) -> Result:
        try:
            with translated():
                result = await query(connection)
        except BaseException:
            # A cancelled query may still be running on this connection, so never reuse it.
            await connection.close()
            raise
        self._idle.append(connection)
        return result

    async def _probe(self) -> None:
        try:
            await self._fetch(self._examine, _PROBE)
        except (DatabaseAway, NotMigrated):
            pass  # already reported
        except ReadModelBusy as busy:
            if not self._slots.locked():
                self._report(str(busy))
        else:
            self._report(None)

    async def _examine(self, connection: AsyncConnection[Any]) -> None:
        await require_schema(connection)
        self._metrics.connections_allowed.set(await allowed_connections(connection))
        for part, count in (await open_connections(connection)).items():
            self._metrics.connections.labels(part).set(count)

    def _report(self, problem: str | None) -> None:
        self._metrics.away.set(problem is not None)
        self._outage.report(problem)
        self._problem = problem

    async def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
