"""The rebuild of the read model: fills a second schema from the topics, shows progress, then swaps the schemas.

The new read model holds only the records that the topics still hold. A failure before the swap keeps the
old read model in use.
"""

import asyncio
import sys
from collections.abc import Mapping
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from adapters.postgres.migrate import migrate
from adapters.postgres.store import PartitionKey
from adapters.postgres.swap import drop_next, next_of, swap
from consumers.projector.loop import CAUGHT_UP, DATABASE, GC_THRESHOLD, ProjectorLoop
from consumers.projector.parsing import TOPICS
from consumers.projector.projector import STOP_SECONDS
from consumers.projector.source import open_source
from runtime.gc import tune_gc
from runtime.process import Process, run
from runtime.settings import ProcessSettings
from schemas.topics import catalogue


def serve(settings: ProcessSettings) -> int:
    """Rebuild and end; return the exit code."""
    return run("rebuild", settings, partial(work, settings), stop_deadline_seconds=STOP_SECONDS)


async def work(settings: ProcessSettings, process: Process) -> None:
    """Fill the next schema up to the present ends of the topics, then swap."""
    process.health.expect("kafka", "topics", DATABASE, CAUGHT_UP)
    topics = catalogue(settings.topics.prefix)
    wanted = wanted_topics((getattr(topics, role) for role in TOPICS), settings.topics)
    if not await wait_for_topics(
        settings.kafka, wanted, process.health, process.stop, process.log, metrics=process.metrics.process
    ):
        return
    async with open_source(settings.kafka, topics, settings.topics.partitions) as source:
        beginnings, ends = await source.beginnings(), await source.ends()
    schema = next_of(settings.readmodel.schema_name)
    await asyncio.to_thread(migrate, settings.readmodel)
    await drop_next(settings.readmodel)
    await asyncio.to_thread(migrate, settings.readmodel, schema)
    total = sum(ends[key] - beginnings[key] for key in ends)
    tune_gc(GC_THRESHOLD)
    with _bar() as progress:
        bar = progress.add_task("records", total=total)

        def show(offsets: Mapping[PartitionKey, int]) -> None:
            done = sum(
                min(max(offset, beginnings[key]), ends[key]) - beginnings[key] for key, offset in offsets.items()
            )
            progress.update(bar, completed=done)

        loop = ProjectorLoop(settings, process, schema=schema, until=ends, on_progress=show)
        await loop.run()
        if loop.is_done:
            progress.update(bar, completed=total)
    if loop.is_done:
        await swap(settings.readmodel)
        process.log.info("projector.schema_rebuilt", records=total, schema=settings.readmodel.schema_name)


def _bar() -> Progress:
    columns = (
        TextColumn("rebuilding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records,"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(file=sys.stderr), transient=False)
