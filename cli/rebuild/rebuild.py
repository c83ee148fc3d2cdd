"""The steps of a rebuild, in an order in which a crash between any two is safe (docs/decisions/0016).

    fence the workers' producers -> for each lost partition: read -> no progress -> states -> progress

A worker that was frozen, and is no member of the group any more, can commit nothing after its producers are fenced. The
old progress is deleted before the first state, and the new one is the last record of a partition. A worker that starts
between the two finds states without progress, and stops the partition. A second run rebuilds every partition that has
no progress.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from adapters.kafka.topic_copy import Extent, RecordWriter, fence, open_writer
from cli.rebuild.partition import RebuildInput, has_progress, progress_of, read_sources, state_outputs
from cli.rebuild.stopped import RebuildRefused, settled_extents
from consumers.engine import Output
from consumers.engine.core.progress import PROGRESS_KEY, encode
from consumers.engine.settings import transactional_id
from consumers.engine.state_store import state_record
from schemas.topics import partition_for


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The rebuilt partitions, and the number of states, of unfinished records and of foreign events in them."""

    partitions: tuple[int, ...]
    kept: tuple[int, ...]
    states: int
    unfinished: int
    skipped: int


class Rebuild:
    """Rebuilds the states of an installation whose workers are stopped."""

    def __init__(self, known: RebuildInput, partitions: int, group: str) -> None:
        """`known` without extents: they are read once no transaction is open. `group` is the workers'."""
        self._known, self._partitions, self._group = known, partitions, group

    async def run(self, again: Collection[int], report: Callable[[str], None]) -> Rebuilt:
        """Rebuild every partition without progress, and those in `again`. Raises RebuildRefused and KafkaFailure."""
        known = replace(self._known, extents=await self._extents())
        kept, states, unfinished, skipped = [], 0, 0, 0
        for number in range(self._partitions):
            if number not in again and await has_progress(known, number):
                kept.append(number)
                continue
            sources = await read_sources(known, number)
            progress = progress_of(sources, known, number)
            if sources.has_lost_ends():
                raise RebuildRefused(
                    f"partition {number} of {known.topics.commands.name} has an unfinished command from before the "
                    f"first record of {known.topics.events.name}: its end may be deleted. Contact the maintainers"
                )
            if progress is None:
                raise RebuildRefused(
                    f"partition {number} of {known.topics.commands.name} has an unfinished command with more than a "
                    "million records after it"
                )
            async with open_writer(known.kafka) as writer:
                written, state = 0, known.topics.state.name
                await writer.write(state, number, key=PROGRESS_KEY, value=None)
                for output in state_outputs(sources, known):
                    await _write(writer, number, output)
                    written += 1
                await writer.flush()
                value = encode(progress[0], known.topic_id)
                await writer.write(state, number, key=PROGRESS_KEY, value=value)
                await writer.flush()
            states, unfinished, skipped = states + written, unfinished + progress[1], skipped + sources.skipped
            report(f"partition {number}: {written} states, {progress[1]} unfinished commands")
        rebuilt = tuple(number for number in range(self._partitions) if number not in kept)
        return Rebuilt(rebuilt, tuple(kept), states, unfinished, skipped)

    async def run_one(self, authorization_id: str) -> bool:
        """Rebuild one authorization's state. False: no topic has anything of it. Raises as `run`."""
        key = authorization_id.encode()
        number = partition_for(key, self._partitions)
        known = replace(self._known, extents=await self._extents())
        if not await has_progress(known, number):
            raise RebuildRefused(
                f"partition {number} of {known.topics.state.name} has no progress record: rebuild all lost partitions, "
                "without --authorization"
            )
        sources = await read_sources(known, number, only=key)
        if not (sources.commands or sources.histories or sources.records):
            return False
        output = state_record(known.topics.state.name, key, sources.state_of(key, known).encode(), known.now)
        async with open_writer(known.kafka) as writer:
            await _write(writer, number, output)
            await writer.flush()
        return True

    async def _extents(self) -> Mapping[str, list[Extent]]:
        """Return the extents once no worker can commit any more. Ingress, which writes `commands`, may still run."""
        commands = self._known.topics.commands.name
        await fence(
            self._known.kafka, (transactional_id(self._group, commands, number) for number in range(self._partitions))
        )
        return await settled_extents(self._known.kafka, self._known.topics, self._partitions)


async def _write(writer: RecordWriter, number: int, output: Output) -> None:
    await writer.write(output.topic, number, key=output.key, value=output.value, headers=output.headers)
