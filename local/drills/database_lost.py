"""The read model's database is dropped: commands continue, and the rebuilt rows equal the lost ones."""

import asyncio

import psycopg
from psycopg import sql

from local.drills.drill import Alert
from local.drills.rows import read_rows
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import Scene, Setup

REBUILT_WITHIN_SECONDS = 120.0


class DatabaseLost:
    """Drop the database of the read model."""

    name = "database-lost"
    breaks = "the PostgreSQL database of the read model is dropped"
    must_hold = "commands continue without it; the rebuilt rows equal the lost ones"
    seconds = 60.0
    needs = Setup()
    alert = Alert("CollateGatewayDatabaseAway", "the-database-is-away", "collate_gateway_database_away")

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break, show, mend with an empty database, and compare the rows."""
        story, operator = scene.story, scene.operator
        before = await scene.snapshot()
        scene.callers.resume()
        scene.breaks(f"the database is dropped, with {before.count} rows")
        await asyncio.to_thread(self.drop, scene)
        await scene.await_alert(self.alert)
        await operator.types("check", "--for", "projector")
        await operator.finds_the_cause()
        await scene.lasts()
        story.step("Callers", "notice nothing when they send commands; status and timelines get 503")
        went_on = scene.ended
        story.note(f"{scene.accepted} commands accepted since, {went_on} ended")

        async def repair() -> None:
            await asyncio.to_thread(self.create, scene)
            await operator.types("migrate")

        async def is_mended() -> bool:
            return await scene.metric(self.alert.metric) == 0 and await self._has_tables(scene)

        await operator.mends("create an empty database of that name, then `gateway migrate`", repair, is_mended)
        seconds = await scene.await_rows(before, REBUILT_WITHIN_SECONDS)
        story.step("It heals", "the projector reads the topics from their beginning by itself")
        story.note(f"{seconds:.1f} s later every row of before is there again")
        return [] if went_on else [BrokenPromise("no command ended without the database", f"{scene.seconds} s")]

    def drop(self, scene: Scene) -> None:
        """Drop the database."""
        self._administer(scene, "DROP DATABASE {} WITH (FORCE)")

    def create(self, scene: Scene) -> None:
        """Create the database, without tables."""
        self._administer(scene, "CREATE DATABASE {}")

    def _administer(self, scene: Scene, statement: str) -> None:
        database = sql.Identifier(scene.database.database)
        with psycopg.connect(scene.database.conninfo_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(database))

    async def _has_tables(self, scene: DrillScene) -> bool:
        try:
            await asyncio.to_thread(read_rows, scene.database.conninfo)
        except psycopg.Error:
            return False
        return True
