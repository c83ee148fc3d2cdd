"""The read model made anew from the topics, beside the one in use, then swapped; with a progress bar for whoever waits.

It holds what the topics hold. Whatever ends it before the swap leaves the read model as it was.
"""

import asyncio
import sys
from collections.abc import Mapping
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.projector.loop import CAUGHT_UP, DATABASE, UNCOLLECTED, Loop, Parts
from consumers.projector.projector import STOP_SECONDS
from consumers.projector.reading import TOPICS
from consumers.projector.source import open_source
from gateway.readmodel.migrate import migrate
from gateway.readmodel.store import Place
from gateway.readmodel.swap import drop_next, next_of, swap
from gateway.runtime.collector import spare_the_collector
from gateway.runtime.lifetime import Process, run
from gateway.runtime.settings import ProcessSettings
from gateway.runtime.topics import wanted_topics
from gateway.runtime.waiting import wait_for_topics
from schemas.topics import catalogue


def serve(settings: ProcessSettings) -> int:
    """Rebuild and end; return the exit code."""
    return run("rebuild", settings, partial(work, settings), stop_deadline_seconds=STOP_SECONDS)


async def work(settings: ProcessSettings, process: Process) -> None:
    """Fill the next schema up to where the topics end now, then swap."""
    process.health.expect("kafka", "topics", DATABASE, CAUGHT_UP)
    topics = catalogue(settings.topics.prefix)
    wanted = wanted_topics((getattr(topics, role) for role in TOPICS), settings.topics)
    if not await wait_for_topics(settings.kafka, wanted, process.health, process.stop, process.log):
        return
    async with open_source(settings.kafka, topics, settings.topics.partitions) as source:
        begins, ends = await source.begins(), await source.ends()
    schema = next_of(settings.readmodel.schema_name)
    await asyncio.to_thread(migrate, settings.readmodel)
    await drop_next(settings.readmodel)
    await asyncio.to_thread(migrate, settings.readmodel, schema)
    parts = Parts(settings, process.health, process.metrics.readmodel, process.log, process.stop)
    total = sum(ends[place] - begins[place] for place in ends)
    spare_the_collector(UNCOLLECTED)
    with _bar() as progress:
        bar = progress.add_task("records", total=total)

        def tell(offsets: Mapping[Place, int]) -> None:
            done = sum(
                min(max(offset, begins[place]), ends[place]) - begins[place] for place, offset in offsets.items()
            )
            progress.update(bar, completed=done)

        loop = Loop(parts, schema=schema, until=ends, told=tell)
        await loop.run()
        if loop.is_done:
            progress.update(bar, completed=total)
    if loop.is_done:
        await swap(settings.readmodel)
        process.log.info("rebuilt", records=total, schema=settings.readmodel.schema_name)


def _bar() -> Progress:
    columns = (
        TextColumn("rebuilding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records,"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(file=sys.stderr), transient=False)
