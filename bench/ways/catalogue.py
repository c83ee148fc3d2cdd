"""Every way back, by the name of its row in docs/disaster.md."""

import asyncio
import json
import re
import shutil
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from bench.answering import listen
from bench.ways.stored import keep, put_back
from bench.ways.way import BACK_WITHIN_SECONDS, Back, Way
from local.drills.database_lost import DatabaseLost
from local.drills.poison import AUTHORIZATION, Poison
from local.drills.rows import SCHEMA
from local.judge.recorded import Evidence
from local.subscriptions import new_secret, subscription_toml
from schemas.topics import catalogue, subscription_topics

Act = Callable[[Back], Coroutine[Any, Any, None]]


_SUBSCRIPTION: Final = "billing"
_CAUGHT_UP_RECORDS = 100
_HALTED = re.compile(r"partition (\d+): ")


def _deleted(*roles: str) -> Act:
    return lambda back: back.delete(*(getattr(catalogue(back.scene.setup.prefix), role).name for role in roles))


def _with(field: str, before: Evidence, found: Evidence) -> Evidence:
    """Add a field of the evidence before the loss."""
    lost, left = getattr(before, field), getattr(found, field)
    both: Any = {**lost, **left} if isinstance(left, Mapping) else [*lost, *left]
    return replace(found, **{field: both})


def _with_commands(before: Evidence, found: Evidence) -> Evidence:
    """Add the commands before the loss. The place of one that was sent again is that in the new topic."""
    again = {command.id: command.body for command in found.commands}
    lost = [command for command in before.commands if command.id not in again]
    others = [command for command in before.commands if command.body != again.get(command.id, command.body)]
    return replace(found, commands=[*lost, *found.commands, *others])


async def _apply(back: Back) -> None:
    await back.types("topics", "apply")


async def _commands(back: Back) -> None:
    await _apply(back)
    await back.repeat(back.waiting)
    await back.resume()


async def _events(back: Back) -> None:
    await _apply(back)
    await back.types("projector", "--rebuild")
    await asyncio.to_thread(back.scene.programs["projector"].await_ready)
    back.took("projector ready")


async def _state(back: Back) -> None:
    await back.stop("worker")
    await _apply(back)
    await back.types("topics", "rebuild-state", "--yes")
    await back.start("worker")


class _Subscription:
    """The topics of a webhook subscription."""

    def __init__(self) -> None:
        self.delivered: set[tuple[str, str]] = set()

    async def prepare(self, back: Back) -> None:
        """Start a deliverer with a receiver of every event."""
        installation, programs = back.scene.installation, back.scene.programs
        port = await listen(self._receive)
        installation.write_secret("whsec", new_secret())
        secret, file = (installation.directory / name for name in ("whsec", "subscriptions.toml"))
        began = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        file.write_text(subscription_toml(_SUBSCRIPTION, f"http://127.0.0.1:{port}/", [secret], since=began))
        installation.change({"GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(file)})
        await asyncio.to_thread(installation.apply_topics)
        programs["deliverer-0"] = installation.start("deliverer", "deliverer-0")
        await asyncio.to_thread(programs["deliverer-0"].await_ready)

        async def has_read() -> bool:
            return bool((await self._state(back))["lag"] < _CAUGHT_UP_RECORDS)

        await back.scene.until(has_read, BACK_WITHIN_SECONDS, "the stored events, which are too old to deliver")

    def _receive(self, body: bytes) -> None:
        event = json.loads(body)
        self.delivered.add((event["subject"], event["sequence"]))

    async def _state(self, back: Back) -> dict[str, Any]:
        url = f"{back.scene.programs['deliverer-0'].admin_url}/partitions"
        (found,) = (await back.scene.http.get(url)).json()["subscriptions"]
        return dict(found)

    async def lose(self, back: Back) -> None:
        """Delete both topics."""
        topics = subscription_topics(back.scene.setup.prefix, _SUBSCRIPTION)
        await back.delete(topics.state.name, topics.dead_letters.name)

    async def back(self, back: Back) -> None:
        """Create the topics, restart, and resume what is halted, until every event since the loss is delivered."""
        seen, earlier = len(back.scene.listener.events), set[tuple[str, str]]()
        await _apply(back)
        # A partition that has stored nothing since the loss has no progress at its next start.
        await back.scene.kill("deliverer-0")
        back.scene.launch("deliverer-0")

        async def are_delivered() -> bool:
            nonlocal earlier
            try:
                found = await self._state(back)
            except (httpx.TransportError, LookupError, ValueError):  # before its port, or its subscription
                return False
            if found["state"] == "halted":
                halted = [word for number in _HALTED.findall(found["detail"]) for word in ("--partition", number)]
                place = "--why", "lost", "--admin", back.scene.programs["deliverer-0"].admin_url
                await back.types("deliverer", "resume", _SUBSCRIPTION, *halted, *place)
            # The newest events are always under way.
            before, events = earlier, back.scene.listener.events[seen:]
            earlier = {(event.authorization_id, event.sequence_text) for event in events}
            return bool(before) and before <= self.delivered

        await back.scene.until(are_delivered, BACK_WITHIN_SECONDS, "the delivery of every new event")
        back.took("new events delivered")


class _Volumes:
    """All of Kafka, with the volume of an earlier moment."""

    def __init__(self) -> None:
        self.kept, self.at = Path(), 0.0

    async def prepare(self, back: Back) -> None:
        """Copy the volume under load, as a snapshot of a disk does."""
        self.kept = back.scene.run.directory / "volume"
        self.at = time.monotonic()
        await asyncio.to_thread(keep, self.kept, back.scene.cluster)

    async def lose(self, back: Back) -> None:
        """Kill the broker and remove its volume."""
        await asyncio.to_thread(back.scene.cluster.kill, 0)
        shutil.rmtree(back.scene.cluster.volume(0))
        back.scene.cluster.volume(0).mkdir()

    async def back(self, back: Back) -> None:
        """Restore the volume."""
        callers = back.scene.callers
        forgotten = [command for command, at in callers.accepted.items() if at >= self.at]
        await back.stop("worker")
        await asyncio.to_thread(put_back, self.kept, back.scene.cluster)
        await back.scene.listener.skip()
        back.took("Kafka runs")
        await back.types("topics", "plan")
        await back.types("topics", "apply")
        await back.start("worker")
        await back.repeat(forgotten)


async def _poison(back: Back) -> None:
    """Let a command become a dead letter."""
    scene = back.scene
    scene.sim.create(ids=(AUTHORIZATION,))
    scene.callers.authorizations.append(AUTHORIZATION)
    scene.sim.fault("answer", status=400, code="bad_request", method="POST", path=AUTHORIZATION, when="before")
    await scene.event("command.dead_lettered", 60.0, commandId=await Poison().request(scene))


async def _dead_letters(back: Back) -> None:
    await _apply(back)
    back.scene.sim.faults.clear()
    command = await Poison().request(back.scene)
    await back.scene.event("command.finished", 60.0, commandId=command, outcome="applied")
    back.took("new key applied")


async def _lose_database(back: Back) -> None:
    await asyncio.to_thread(DatabaseLost().drop, back.scene)


async def _database(back: Back) -> None:
    await asyncio.to_thread(DatabaseLost().create, back.scene)
    back.typed.append("CREATE DATABASE")
    await back.types("migrate")

    def rows() -> int:
        with psycopg.connect(back.scene.database.conninfo) as connection:
            ((count,),) = connection.execute(f"SELECT count(*) FROM {SCHEMA}.authorizations").fetchall()
            return int(count)

    async def is_read() -> bool:
        has_all = await asyncio.to_thread(rows) >= len(back.scene.sim.state.authorizations) / 2
        # Under load some records always wait.
        return has_all and await back.scene.metric("collate_gateway_projector_lag") < _CAUGHT_UP_RECORDS

    await back.scene.until(is_read, 300.0, "the last record in the read model")
    back.took("all rows")


_VOLUMES, _SUBSCRIBED = _Volumes(), _Subscription()
WAYS: Final = {
    "commands": Way(
        _deleted("commands"),
        _commands,
        _with_commands,
        # The record of another body under a known key, which no caller repeats.
        allowed=("another body under a known id has not exactly one key_conflict",),
    ),
    "events": Way(
        _deleted("events"),
        _events,
        partial(_with, "events"),
        # The pass does not see the ends that are lost.
        allowed=("check promises: a finished command has no end",),
        has_read_model=True,
    ),
    "authorizations": Way(
        _deleted("authorizations"),
        _apply,
        partial(_with, "records"),
        # Until the authorization's next change.
        allowed=("check promises: the record on `authorizations` is behind the events",),
    ),
    "state": Way(_deleted("state"), _state),
    "subscription": Way(_SUBSCRIBED.lose, _SUBSCRIBED.back, prepare=_SUBSCRIBED.prepare),
    "dead-letters": Way(_deleted("dead_letters"), _dead_letters, partial(_with, "dead_letters"), prepare=_poison),
    "kafka": Way(
        _VOLUMES.lose,
        _VOLUMES.back,
        # A repeat of a command that Kafka has forgotten finds its own effect, and reads a later version first.
        allowed=(
            "an access grant has no event",
            "the outcome is `none` with an effect of ours",
            "two different requests have one key",
        ),
        prepare=_VOLUMES.prepare,
    ),
    "postgresql": Way(_lose_database, _database, has_read_model=True),
}
