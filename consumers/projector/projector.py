"""Composition root of `gateway projector`: one loop per process, until SIGTERM.

Several projectors may run; one of them writes. The process is ready while Kafka and PostgreSQL respond and the schema
has this version, after the read model has caught up once.
"""

from functools import partial

from adapters.kafka.exposure import log_exposure
from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from adapters.postgres.database import conninfo_of
from consumers.projector.loop import CAUGHT_UP, DATABASE, GC_THRESHOLD, ProjectorLoop
from consumers.projector.parsing import TOPICS
from consumers.projector.people_poller import PeoplePoller
from runtime.gc import tune_gc
from runtime.metrics import PayerLabels
from runtime.process import Process, run
from runtime.settings import ProcessSettings
from schemas.topics import catalogue

STOP_SECONDS = 15.0


def serve(settings: ProcessSettings) -> int:
    """Run the process until it is stopped; return its exit code."""
    return run("projector", settings, partial(work, settings), stop_deadline_seconds=STOP_SECONDS)


async def work(settings: ProcessSettings, process: Process) -> None:
    """Project until `process.stop`."""
    conninfo_of(settings.readmodel, "projector writes")  # an invalid connection string is refused, not retried
    process.health.expect("kafka", "topics", DATABASE, CAUGHT_UP)
    topics = catalogue(settings.topics.prefix)
    wanted = wanted_topics((getattr(topics, role) for role in TOPICS), settings.topics)
    if not await wait_for_topics(
        settings.kafka, wanted, process.health, process.stop, process.log, metrics=process.metrics.process
    ):
        return
    await log_exposure(settings, "projector", process.log)
    payers = PayerLabels(settings.admin.payer_labels)
    process.spawn("people", PeoplePoller(settings.readmodel, process.metrics.people, payers).run())
    tune_gc(GC_THRESHOLD)
    await ProjectorLoop(settings, process).run()
