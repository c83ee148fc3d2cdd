"""Composition root of `gateway projector`: settings in, one loop, one process until SIGTERM.

Any number may run; one of them writes. Readiness is green while Kafka and PostgreSQL answer, the schema is ours and the
read model has caught up once.
"""

from functools import partial

from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from adapters.postgres.database import conninfo_of
from consumers.projector.loop import CAUGHT_UP, DATABASE, UNCOLLECTED, Loop, Parts
from consumers.projector.parsing import TOPICS
from runtime.gc import tune_gc
from runtime.process import Process, run
from runtime.settings import ProcessSettings
from schemas.topics import catalogue

STOP_SECONDS = 15.0


def serve(settings: ProcessSettings) -> int:
    """Run the process until it is told to stop; return its exit code."""
    return run("projector", settings, partial(work, settings), stop_deadline_seconds=STOP_SECONDS)


async def work(settings: ProcessSettings, process: Process) -> None:
    """Project until `process.stop`."""
    conninfo_of(settings.readmodel)  # a string that can't be one is refused at once, not waited for
    process.health.expect("kafka", "topics", DATABASE, CAUGHT_UP)
    topics = catalogue(settings.topics.prefix)
    wanted = wanted_topics((getattr(topics, role) for role in TOPICS), settings.topics)
    if not await wait_for_topics(settings.kafka, wanted, process.health, process.stop, process.log):
        return
    parts = Parts(settings, process.health, process.metrics.readmodel, process.log, process.stop)
    tune_gc(UNCOLLECTED)
    await Loop(parts).run()
