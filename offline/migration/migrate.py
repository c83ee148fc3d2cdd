"""The steps of a migration, in an order in which a crash between any two is safe (docs/decisions/0015).

    plan -> state -> authorizations -> events -> dead letters -> commands -> prove -> progress -> remove the plan

A worker that starts too early on the new topics stops every partition that has states: it finds states without
progress. A second run finds the plan, skips what the first one wrote, and continues.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from adapters.kafka.topic_copy import Extent, RecordWriter, SourceRecord, extents_of, open_writer
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import PROGRESS_KEY, ProgressUnreadable, decode, encode
from consumers.engine.state_store import input_key
from offline.migration.copying import Copied, Newest, copy, find_newest, ordered, read_back
from offline.migration.plan import PLAN_KEY, PLAN_PARTITION, MigrationPlan, PlanUnreadable
from offline.migration.progress import NewProgress
from offline.stopped import OfflineRefused, settled_extents
from runtime.settings import KafkaSettings
from schemas.topics import Topic, Topics, partition_for

_ORDER = ("state", "authorizations", "events", "dead_letters", "commands")


@dataclass(frozen=True, slots=True)
class Migrated:
    """The number of records by role, and of unfinished commands. None: an earlier run had completed it."""

    records: Mapping[str, int] | None
    unfinished: int | None


class Migration:
    """Moves the records of the source topics. `partitions` are those of each source topic, by role.

    `source_id` and `target_id` are the ids of the two `commands` topics.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        source: Topics,
        target: Topics,
        partitions: Mapping[str, int],
        wanted: int,
        *,
        source_id: str,
        target_id: str,
    ) -> None:
        self._kafka, self._source, self._target = kafka, source, target
        self._partitions, self._wanted = partitions, wanted
        self._source_id, self._target_id = source_id, target_id

    async def run(self, report: Callable[[str], None]) -> Migrated:
        """Migrate, or continue where an earlier run stopped. Raises OfflineRefused and KafkaFailure."""
        now = await self._plan()
        before = await self._target_extents()
        async with open_writer(self._kafka) as writer:
            is_new = await self._settle_plan(writer, now, before)
            if is_new is None:
                return Migrated(None, None)
            report("the plan is written" if is_new else "an earlier run was interrupted; this one continues")
            there = {role: [extent.end for extent in extents] for role, extents in before.items()}
            there["state"][PLAN_PARTITION] = max(0, there["state"][PLAN_PARTITION] - 1)
            states = await find_newest(self._kafka, self._source.state.name, now.extents["state"])
            progress = self._progress(states, now)
            copied: dict[str, Copied] = {}
            for role in _ORDER:
                records = self._records(role, now, states)
                copied[role] = await self._copy(writer, role, records, there[role], progress)
                report(f"{role}: {sum(copied[role].counts)} records")
            if not progress.fits:
                raise OfflineRefused(
                    "an unfinished command has more than a million finished ones after it in its new partition: "
                    "run again with another prefix and more --partitions"
                )
            await self._prove(now, copied)
            report("every new partition has the same records in the same order")
            for number, finished in reversed(list(enumerate(progress.committed()))):
                await writer.write(
                    self._target.state.name, number, key=PROGRESS_KEY, value=encode(finished, self._target_id)
                )
            await writer.flush()
            await writer.write(self._target.state.name, PLAN_PARTITION, key=PLAN_KEY, value=None)
            await writer.flush()
        return Migrated({role: sum(one.counts) for role, one in copied.items()}, progress.unfinished)

    async def _plan(self) -> MigrationPlan:
        """Look at the sources, once no transaction is open."""
        extents = await settled_extents(self._kafka, self._source, self._partitions)
        prefix = self._source.commands.name.removesuffix("commands")
        return MigrationPlan(prefix, self._wanted, {role: tuple(of_role) for role, of_role in extents.items()})

    async def _settle_plan(
        self, writer: RecordWriter, now: MigrationPlan, before: Mapping[str, list[Extent]]
    ) -> bool | None:
        """Write the plan. False: an earlier run wrote the same plan. None: an earlier run has completed it."""
        if not any(extent.end for extents in before.values() for extent in extents):
            await writer.write(self._target.state.name, PLAN_PARTITION, key=PLAN_KEY, value=now.encode())
            await writer.flush()
            return True
        values = [
            record.value
            async for record in ordered(self._kafka, self._target.state.name, before["state"])
            if record.key == PLAN_KEY
        ]
        if not values:
            raise OfflineRefused(
                f"{self._target.state.name} is in use or was migrated long ago: choose another prefix with --to"
            )
        if values[-1] is None:
            return None
        try:
            planned = MigrationPlan.decode(values[-1])
        except PlanUnreadable as error:
            raise OfflineRefused(f"{error}: choose another prefix with --to") from error
        if differences := list(planned.differences(now)):
            raise OfflineRefused(
                f"an earlier run was interrupted, and the sources have changed since ({differences[0]}): "
                "stop every process, then run again with another prefix"
            )
        return False

    def _progress(self, states: Newest, now: MigrationPlan) -> NewProgress:
        if states.twice:
            raise OfflineRefused(
                f"{len(states.twice)} authorizations have states in two partitions, so two workers have applied their "
                "commands: contact the maintainers before anything else"
            )
        with_states = {partition for partition, _ in states.places.values()}
        sources: dict[int, Committed | None] = {}
        for number in range(len(now.extents["commands"])):
            recorded = states.progress.get(number)
            if recorded is None and number in with_states:
                raise OfflineRefused(
                    f"partition {number} of {self._source.state.name} has states and no progress record: "
                    "docs/operations.md#the-state-topic-was-lost"
                )
            sources[number] = None if recorded is None else self._decoded(recorded, number)
        return NewProgress(sources, self._wanted)

    def _decoded(self, recorded: bytes, number: int) -> Committed:
        try:
            progress, topic, *_ = decode(recorded)
        except ProgressUnreadable as error:
            raise OfflineRefused(
                f"the progress record of partition {number} is from another release: migrate with that release"
            ) from error
        if topic != self._source_id:
            raise OfflineRefused(
                f"the progress record of partition {number} is of another topic, not of {self._source.commands.name} "
                "as it is now: docs/operations.md#the-topic-was-created-again"
            )
        return progress

    async def _records(self, role: str, now: MigrationPlan, states: Newest) -> AsyncIterator[SourceRecord]:
        """Return the records to copy: all of them, or the newest of each key if the topic is compacted."""
        source, extents = _topic(self._source, role), now.extents[role]
        newest = None
        if source.is_compacted:
            newest = states if role == "state" else await find_newest(self._kafka, source.name, extents)
        async for record in ordered(self._kafka, source.name, extents):
            if newest is None or newest.is_newest(record):
                yield record

    async def _copy(
        self,
        writer: RecordWriter,
        role: str,
        records: AsyncIterator[SourceRecord],
        there: list[int],
        progress: NewProgress,
    ) -> Copied:
        def on_copied(record: SourceRecord, target: int) -> None:
            if role == "commands":
                progress.copied(record.partition, record.offset, target)

        return await copy(
            records,
            _topic(self._target, role).name,
            writer,
            place=self._place_in_state if role == "state" else self._place,
            there=there,
            on_copied=on_copied,
        )

    async def _prove(self, planned: MigrationPlan, copied: Mapping[str, Copied]) -> None:
        """Read the new topics and compare. Also look whether a process wrote to the sources meanwhile."""
        if differences := list(planned.differences(await self._plan())):
            raise OfflineRefused(
                f"{differences[0]}, while records were copied: stop every process, then run again with another prefix"
            )
        ends = await self._target_extents()
        for role, wanted in copied.items():
            found = await read_back(self._kafka, _topic(self._target, role).name, dict(enumerate(ends[role])))
            if not wanted.same_as(found):
                raise OfflineRefused(
                    f"{_topic(self._target, role).name} has {sum(found.counts)} records and must have "
                    f"{sum(wanted.counts)}, the same in the same order: another program wrote to it, or retention "
                    "deleted records. Run again with another prefix"
                )

    async def _target_extents(self) -> dict[str, list[Extent]]:
        found = await extents_of(self._kafka, {topic.name: self._wanted for topic in self._target}, committed=True)
        return {topic.role: found[topic.name] for topic in self._target}

    def _place(self, record: SourceRecord) -> int:
        """Return the new partition. A record without a key is no command; it keeps its distance from the others."""
        return record.partition % self._wanted if record.key is None else partition_for(record.key, self._wanted)

    def _place_in_state(self, record: SourceRecord) -> int:
        return self._place(record) if record.key is None else partition_for(input_key(record.key), self._wanted)


def _topic(topics: Topics, role: str) -> Topic:
    return next(topic for topic in topics if topic.role == role)
