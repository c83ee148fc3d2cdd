"""The few connections that reads share: bounded, quick to say no, and never in the way of anything else.

While the database is known to be away every read is told so at once; a probe a second finds out when it is back.
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
Found = TypeVar("Found")
Question = Callable[[AsyncConnection[Any]], Awaitable[Found]]


class Busy(Exception):
    """Every connection is in use, or the read took too long."""


class Reader:
    """Asks questions of the read model."""

    def __init__(self, settings: ReadModelSettings, metrics: ReadModelMetrics, log: Log) -> None:
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._seconds = settings.read_timeout.total_seconds()
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[AsyncConnection[Any]] = []
        self._away: str | None = "it has not been reached yet"

    async def ask(self, name: str, question: Question[Found]) -> Found:
        """Return the answer. Raises DatabaseAway, NotMigrated, Busy."""
        if self._away is not None:
            raise DatabaseAway(self._away)
        with self._metrics.read_seconds.labels(name).time():
            return await self._ask(question)

    async def run(self) -> None:
        """Probe the database until cancelled."""
        try:
            while True:
                await self._probe()
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            await self._drop_idle()

    async def _ask(self, question: Question[Found]) -> Found:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds), self._slots:
                if self._idle:
                    connection = self._idle.pop()
                    try:
                        return await self._use(connection, question)
                    except DatabaseAway:
                        # It may only be this connection that has died since; the others have then as well.
                        await self._drop_idle()
                return await self._use(await self._connect(), question)
        except TimeoutError:
            raise Busy(f"no answer within {time.monotonic() - began:.1f} s") from None
        except (DatabaseAway, NotMigrated) as away:
            self._tell(str(away))
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

    async def _use(self, connection: AsyncConnection[Any], question: Question[Found]) -> Found:
        try:
            with translated():
                found = await question(connection)
        except BaseException:
            # Whatever happened, a cancelled query among it: nobody should find this connection in the middle of it.
            await connection.close()
            raise
        self._idle.append(connection)
        return found

    async def _probe(self) -> None:
        try:
            await self._ask(require_head)
        except (DatabaseAway, NotMigrated):
            pass  # told
        except Busy as busy:
            if not self._slots.locked():
                self._tell(str(busy))
        else:
            self._tell(None)

    def _tell(self, away: str | None) -> None:
        self._metrics.away.set(away is not None)
        if away != self._away and away is not None:
            self._log.warning("database away", reason=away)
        elif away is None and self._away is not None:
            self._log.info("database reached")
        self._away = away

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
