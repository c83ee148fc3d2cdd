"""The connections for reads: a bounded pool with a time limit per read.

While the database is away, reads fail immediately. A probe every second detects when it is back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from psycopg import AsyncConnection

from adapters.postgres.database import DatabaseAway, NotMigrated, conninfo_of, prepare, translated
from adapters.postgres.schema_version import require_head
from runtime.logs import Log
from runtime.metrics import ReadModelMetrics
from runtime.settings import ReadModelSettings

PROBE_SECONDS = 1.0
Result = TypeVar("Result")
Query = Callable[[AsyncConnection[Any]], Awaitable[Result]]


class ReadModelBusy(Exception):
    """All connections are in use, or the read exceeded its time limit."""


class ReadModelReader:
    """Runs queries on the read model. `run` must run as a task."""

    def __init__(self, settings: ReadModelSettings, metrics: ReadModelMetrics, log: Log) -> None:
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._seconds = settings.read_timeout.total_seconds()
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[AsyncConnection[Any]] = []
        self._problem: str | None = "not connected yet"

    async def fetch(self, name: str, query: Query[Result]) -> Result:
        """Return the query's result; `name` labels the metric. Raises DatabaseAway, NotMigrated, ReadModelBusy."""
        if self._problem is not None:
            raise DatabaseAway(self._problem)
        with self._metrics.read_seconds.labels(name).time():
            return await self._fetch(query)

    async def run(self) -> None:
        """Probe the database until cancelled."""
        try:
            while True:
                await self._probe()
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            await self._close_idle()

    async def _fetch(self, query: Query[Result]) -> Result:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds), self._slots:
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

    async def _connect(self) -> AsyncConnection[Any]:
        with translated():
            connection = await AsyncConnection.connect(conninfo_of(self._settings), autocommit=True)
            try:
                await prepare(connection, self._settings.schema_name, self._seconds)
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
            await self._fetch(require_head)
        except (DatabaseAway, NotMigrated):
            pass  # already reported
        except ReadModelBusy as busy:
            if not self._slots.locked():
                self._report(str(busy))
        else:
            self._report(None)

    def _report(self, problem: str | None) -> None:
        self._metrics.away.set(problem is not None)
        if problem is not None and problem != self._problem:
            self._log.warning("postgres.connection_lost", reason=problem)
        elif problem is None and self._problem is not None:
            self._log.info("postgres.connection_established")
        self._problem = problem

    async def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
