"""From a load to processes, memory and disk. Pure.

load ─▶ calls ─▶ workers and ingress ─▶ memory, disk
                      └─▶ bounds: how many commands a day each resource allows; the smallest one counts
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from docs_build.capacity import figures
from docs_build.capacity.calls import Calls
from docs_build.capacity.figures import Speeds
from runtime.settings import WatchSettings
from runtime.units import Step
from schemas.topics import Topic, catalogue

DATABASE: Final = "database"
_HALF_OPEN: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Load:
    """What an installation must carry."""

    authorizations: int
    commands_per_day: float
    calls_per_second: float
    busiest_hour: float = 0.2
    handoff_minutes: float = 15.0
    reconcile_minutes: float = 5.0
    replication: int = 3

    @property
    def commands_per_second(self) -> float:
        """Commands per second in the busiest hour."""
        return self.commands_per_day * self.busiest_hour / figures.HOUR_SECONDS


class Bound(StrEnum):
    """A resource that limits the commands."""

    RATE = "Collate's calls per second"
    CONCURRENCY = "Collate's calls in flight"
    WORKERS = "workers"
    INGRESS = "ingress"


@dataclass(frozen=True, slots=True)
class Limit:
    """How many commands a day one resource allows, and why."""

    bound: Bound
    commands_per_day: float
    reason: str


def _commands_per_day(limit: Limit) -> float:
    return limit.commands_per_day


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of one topic or of the database, with all copies."""

    name: str
    gib: float


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an installation. The slowdowns are the factors by which the steps of the cadence grow."""

    load: Load
    speeds: Speeds
    calls: Calls
    workers: int
    ingress: int
    partitions: int
    concurrency: int
    worker_calls_per_second: float
    open_slowdown: float
    idle_slowdown: float
    max_slowdown: float
    worker_millicores: int
    worker_request_mib: int
    worker_limit_mib: int
    disks: tuple[Disk, ...]
    limits: tuple[Limit, ...]

    @property
    def tightest(self) -> Limit:
        """The bound that counts."""
        return min(self.limits, key=_commands_per_day)

    @property
    def fits(self) -> bool:
        """Whether every bound allows the load."""
        return self.tightest.commands_per_day >= self.load.commands_per_day

    @property
    def wanted_calls_per_second(self) -> float:
        """The rate of Collate with which no step of the cadence grows; ingress has its share of it."""
        return self.calls.total * self.processes / self.workers

    @property
    def processes(self) -> int:
        """The most processes that share the calls to Collate."""
        return self.workers + self.ingress + figures.ROLLING_UPDATE


def size_of(load: Load, speeds: Speeds | None = None, watch: WatchSettings | None = None) -> Size:
    """Return the smallest installation that carries the load, or the largest useful one if none does."""
    speeds, watch = speeds or Speeds(), watch or WatchSettings()
    calls = _calls(load, watch)
    ingress = max(
        figures.LEAST_REPLICAS,
        math.ceil(_requests(load) / speeds.ingress_requests_per_second * figures.RESERVE),
    )
    workers = max(figures.LEAST_REPLICAS, math.ceil(_busy_workers(load, calls, speeds) * figures.RESERVE))
    workers = max(workers, _workers_for_budget(load, calls.least(watch.max_slowdown), ingress))
    partitions = _partitions(workers)
    share = workers / (workers + ingress + figures.ROLLING_UPDATE)
    rate = load.calls_per_second * share
    open_slowdown, idle_slowdown = calls.slowdowns(rate)
    request, limit = _memory(load, workers, partitions)
    cpu = math.ceil(_busy_workers(load, calls, speeds) / workers * figures.RESERVE * 10) * 100
    size = Size(
        load=load,
        speeds=speeds,
        calls=calls,
        workers=workers,
        ingress=ingress,
        partitions=partitions,
        concurrency=_concurrency(load, speeds, workers + ingress + figures.ROLLING_UPDATE),
        worker_calls_per_second=rate,
        open_slowdown=open_slowdown,
        idle_slowdown=idle_slowdown,
        max_slowdown=watch.max_slowdown,
        worker_millicores=max(figures.LEAST_MILLICORES, cpu),
        worker_request_mib=request,
        worker_limit_mib=limit,
        disks=tuple(_disks(load, partitions)),
        limits=(),
    )
    return replace(size, limits=tuple(_limits(size)))


def observations(steps: Iterable[Step], begin: float, end: float) -> float:
    """Return how often one authorization is observed between two ages, in seconds since its last news."""
    total, since = 0.0, 0.0
    for step in steps:
        until = step.until.total_seconds() if step.until else _HALF_OPEN
        total += max(0.0, min(end, until) - max(begin, since)) / step.every.total_seconds()
        since = until
    return total


def open_calls(load: Load, watch: WatchSettings) -> float:
    """Return the calls of one handoff's observations, from its opening to its reconciliation."""
    return (
        observations(watch.access, 0, figures.ACCESS_SECONDS) * figures.CALLS_PER_OBSERVATION_OF_HANDOFF
        + observations(watch.open, 0, load.handoff_minutes * 60) * figures.CALLS_PER_OBSERVATION_OF_HANDOFF
        + observations(watch.ended, 0, load.reconcile_minutes * 60)
    )


def quick_calls(watch: WatchSettings) -> float:
    """Return the calls of one authorization from the reconciliation to an hour after the payer has it."""
    processing = observations(watch.processing, 0, figures.PROCESSING_SECONDS)
    return processing + observations(watch.payer, 0, figures.HOUR_SECONDS)


def slow_calls(watch: WatchSettings) -> float:
    """Return the calls of one authorization for the rest of its first day at the payer."""
    return observations(watch.payer, figures.HOUR_SECONDS, figures.DAY_SECONDS)


def _calls(load: Load, watch: WatchSettings) -> Calls:
    handoffs_per_day = load.commands_per_day / figures.COMMANDS_PER_HANDOFF
    in_peak = load.commands_per_second / figures.COMMANDS_PER_HANDOFF
    resting = load.authorizations / watch.payer[-1].every.total_seconds()
    return Calls(
        commands=load.commands_per_second * figures.CALLS_PER_COMMAND,
        open=in_peak * open_calls(load, watch),
        idle=resting + in_peak * quick_calls(watch) + handoffs_per_day / figures.DAY_SECONDS * slow_calls(watch),
        resting=resting,
    )


def _requests(load: Load) -> float:
    return load.commands_per_second * figures.REQUESTS_PER_COMMAND


def _busy_workers(load: Load, calls: Calls, speeds: Speeds) -> float:
    """Return the processor time of the workers per second. There are never more observations than Collate grants."""
    made = min(calls.observations, load.calls_per_second)
    return load.commands_per_second / speeds.worker_commands_per_second + made / speeds.worker_observations_per_second


def _workers_for_budget(load: Load, needed: float, ingress: int) -> int:
    """Return the workers whose share of Collate's calls is `needed`; 0 if no number of them suffices.

    Each process gets the same share of the calls, so more workers have a larger share beside the same ingress.
    """
    if needed >= load.calls_per_second:
        return 0
    workers = math.ceil(needed * (ingress + figures.ROLLING_UPDATE) / (load.calls_per_second - needed))
    return workers if workers <= figures.MOST_WORKERS else 0


def _partitions(workers: int) -> int:
    whole = math.ceil(workers * figures.WORKERS_PER_PARTITIONS / figures.PARTITIONS)
    return max(1, whole) * figures.PARTITIONS


def _concurrency(load: Load, speeds: Speeds, processes: int) -> int:
    """Return the calls in flight that the granted rate needs, at least two for each process."""
    return max(2 * processes, math.ceil(load.calls_per_second * speeds.call_seconds * figures.RESERVE))


def _memory(load: Load, workers: int, partitions: int) -> tuple[int, int]:
    """Return the memory that a worker requests, and its limit, in MiB, after one worker has failed."""
    left = max(1, workers - 1)
    state = load.authorizations / left * figures.STATE_KIB / 1024
    read_ahead = math.ceil(partitions / left) * figures.READ_AHEAD_MIB
    request = figures.WORKER_MIB + state
    limit = max(request + read_ahead, state * figures.STATE_PARTS)
    return _rounded(request, figures.LEAST_REQUEST_MIB), _rounded(limit, figures.LEAST_LIMIT_MIB)


def _rounded(mib: float, least: int) -> int:
    return max(least, math.ceil(mib / figures.MEMORY_STEP_MIB) * figures.MEMORY_STEP_MIB)


def _disks(load: Load, partitions: int) -> Iterable[Disk]:
    handoffs = load.commands_per_day / figures.COMMANDS_PER_HANDOFF
    changes_in_lag = handoffs * figures.EVENTS_PER_HANDOFF * figures.COMPACTION_LAG_HOURS / 24
    latest = load.authorizations * figures.COMPACTED_COPIES + changes_in_lag
    per_day = {
        "commands": load.commands_per_day * figures.RECORDS_PER_COMMAND,
        "events": handoffs * figures.EVENTS_PER_HANDOFF,
    }
    for topic in catalogue(""):
        if topic.is_compacted:
            kib = latest * figures.RECORD_KIB + partitions * figures.SEGMENT_MIB * 1024
        else:
            kib = per_day.get(topic.name, 0.0) * _days(topic) * figures.RECORD_KIB
        if kib:
            yield Disk(topic.name, kib * load.replication / 1024**2)
    rows = load.commands_per_day * figures.READ_MODEL_DAYS * figures.ROWS_PER_COMMAND + load.authorizations
    yield Disk(DATABASE, rows * figures.ROW_KIB / 1024**2)


def _days(topic: Topic) -> float:
    return int(topic.config["retention.ms"]) / 1_000 / figures.DAY_SECONDS


def _limits(size: Size) -> Iterable[Limit]:
    load, speeds, calls, rate = size.load, size.speeds, size.calls, size.worker_calls_per_second
    workers, ingress = size.workers, size.ingress
    peak = load.busiest_hour / figures.HOUR_SECONDS  # commands/s in the busiest hour for each command a day
    yield Limit(
        Bound.RATE,
        load.commands_per_day * calls.growth(rate, size.max_slowdown),
        f"{workers} workers get {rate:,.3g} of {load.calls_per_second:,g} calls/s",
    )
    through = size.concurrency * workers / size.processes / speeds.call_seconds
    yield Limit(
        Bound.CONCURRENCY,
        load.commands_per_day * calls.growth(through, size.max_slowdown),
        f"{size.concurrency} calls in flight of {speeds.call_seconds:g} s each",
    )
    resting = calls.resting / size.max_slowdown
    moving = (calls.observations / size.max_slowdown - resting) / load.commands_per_day
    per_worker = peak / speeds.worker_commands_per_second + moving / speeds.worker_observations_per_second
    idle = resting / speeds.worker_observations_per_second
    yield Limit(
        Bound.WORKERS,
        max(0.0, workers / figures.RESERVE - idle) / per_worker,
        f"{workers} workers, {figures.RESERVE} times the processor time of the load",
    )
    yield Limit(
        Bound.INGRESS,
        ingress * speeds.ingress_requests_per_second / figures.RESERVE / (peak * figures.REQUESTS_PER_COMMAND),
        f"{ingress} processes of {speeds.ingress_requests_per_second:g} requests/s",
    )
