"""From a load to processes, memory and disk. Pure.

load ─▶ calls ─▶ workers and ingress ─▶ memory, disk
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from docs_build.capacity import figures
from runtime.settings import WatchSettings
from runtime.turns import OTHERS_EVERY
from runtime.units import Step
from schemas.topics import catalogue

DATABASE: Final = "database"


@dataclass(frozen=True, slots=True)
class Load:
    """What an installation must carry."""

    authorizations: int
    commands_per_day: float
    calls_per_second: float

    @property
    def commands_per_second(self) -> float:
        """Commands per second in the busiest hour."""
        return self.commands_per_day * figures.BUSIEST_HOUR / figures.HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls per second of the workers in the busiest hour: of commands, and of observations at the steps as set.

    Observations of open handoffs come before those of the others, which are idle and keep a share (decision 0022).
    """

    commands: float
    open: float
    idle: float

    @property
    def observations(self) -> float:
        """All observations."""
        return self.open + self.idle

    def slowdowns(self, rate: float) -> tuple[float, float]:
        """Return the factors by which the steps of open handoffs, and of the others, grow at this rate."""
        left = rate - self.commands
        if left <= 0:
            return float("inf"), float("inf")
        share = left / OTHERS_EVERY
        for_open, for_idle = left - min(share, self.idle), max(left - self.open, share)
        return max(1.0, self.open / for_open), max(1.0, self.idle / for_idle)

    def least(self, longest: float) -> float:
        """Return the rate at which no step has grown by more than this factor."""
        shared = max(self.idle, self.open / (OTHERS_EVERY - 1)) * OTHERS_EVERY / longest
        return self.commands + min(self.open + self.idle / longest, shared)


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an installation. Memory is in MiB; `disks` has GiB of each topic and of the database, all copies."""

    load: Load
    calls: Calls
    workers: int
    ingress: int
    partitions: int
    worker_millicores: int
    worker_request: int
    worker_limit: int
    disks: dict[str, float]

    @property
    def processes(self) -> int:
        """The most processes that share the calls to Collate."""
        return self.workers + self.ingress + figures.ROLLING_UPDATE

    @property
    def worker_calls_per_second(self) -> float:
        """The workers' share of the calls."""
        return self.load.calls_per_second * self.workers / self.processes

    @property
    def concurrency(self) -> int:
        """The calls in flight that the granted rate needs, at least two for each process."""
        in_flight = self.load.calls_per_second * figures.CALL_SECONDS * figures.RESERVE
        return max(2 * self.processes, math.ceil(in_flight))


def size_of(load: Load, watch: WatchSettings | None = None) -> Size:
    """Return the smallest installation that carries the load, or one of 2 or more workers if none does."""
    watch = watch or WatchSettings()
    calls = calls_of(load, watch)
    requests = load.commands_per_second * figures.REQUESTS_PER_COMMAND
    ingress = max(figures.LEAST_REPLICAS, math.ceil(requests / figures.INGRESS_REQUESTS * figures.RESERVE))
    # There are never more observations than Collate grants.
    made = min(calls.observations, load.calls_per_second)
    busy = load.commands_per_second / figures.WORKER_COMMANDS + made / figures.WORKER_OBSERVATIONS
    workers = max(
        figures.LEAST_REPLICAS,
        math.ceil(busy * figures.RESERVE),
        _workers_for_budget(load, calls.least(watch.max_slowdown), ingress),
    )
    partitions = math.ceil(workers * figures.WORKERS_PER_PARTITIONS / figures.PARTITIONS) * figures.PARTITIONS
    left = workers - 1  # after one has failed
    state = load.authorizations / left * figures.STATE_KIB / 1024
    request = figures.WORKER_MIB + state
    limit = max(request + math.ceil(partitions / left) * figures.READ_AHEAD_MIB, state * figures.STATE_PARTS)
    return Size(
        load,
        calls,
        workers,
        ingress,
        partitions,
        max(figures.LEAST_MILLICORES, math.ceil(busy / workers * figures.RESERVE * 10) * 100),
        _rounded(request, figures.LEAST_REQUEST_MIB),
        _rounded(limit, figures.LEAST_LIMIT_MIB),
        dict(_disks(load, partitions)),
    )


def observations(steps: Iterable[Step], begin: float, end: float) -> float:
    """Return how often one authorization is observed between two ages, in seconds since its last news."""
    total, since = 0.0, 0.0
    for step in steps:
        until = step.until.total_seconds() if step.until else float("inf")
        total += max(0.0, min(end, until) - max(begin, since)) / step.every.total_seconds()
        since = until
    return total


def open_calls(watch: WatchSettings) -> float:
    """Return the calls of one handoff's observations, from its opening to its reconciliation."""
    seen = observations(watch.access, 0, figures.ACCESS_SECONDS) + observations(watch.open, 0, figures.HANDOFF_SECONDS)
    return seen * figures.CALLS_PER_OBSERVATION_OF_HANDOFF + observations(watch.ended, 0, figures.RECONCILE_SECONDS)


def quick_calls(watch: WatchSettings) -> float:
    """Return the calls of one authorization from the reconciliation to an hour after the payer has it."""
    processing = observations(watch.processing, 0, figures.PROCESSING_SECONDS)
    return processing + observations(watch.payer, 0, figures.HOUR_SECONDS)


def calls_of(load: Load, watch: WatchSettings) -> Calls:
    """Return the calls that a load needs."""
    handoffs_per_day = load.commands_per_day / figures.COMMANDS_PER_HANDOFF
    in_peak = load.commands_per_second / figures.COMMANDS_PER_HANDOFF
    resting = load.authorizations / watch.payer[-1].every.total_seconds()
    slow = observations(watch.payer, figures.HOUR_SECONDS, figures.DAY_SECONDS)  # the rest of the first day
    return Calls(
        commands=load.commands_per_second * figures.CALLS_PER_COMMAND,
        open=in_peak * open_calls(watch),
        idle=resting + in_peak * quick_calls(watch) + handoffs_per_day / figures.DAY_SECONDS * slow,
    )


def _workers_for_budget(load: Load, needed: float, ingress: int) -> int:
    """Return the workers whose share of Collate's calls is `needed`; 0 if no number of them suffices.

    Each process gets the same share of the calls, so more workers have a larger share beside the same ingress.
    """
    if needed >= load.calls_per_second:
        return 0
    workers = math.ceil(needed * (ingress + figures.ROLLING_UPDATE) / (load.calls_per_second - needed))
    return workers if workers <= figures.MOST_WORKERS else 0


def _rounded(mib: float, least: int) -> int:
    return max(least, math.ceil(mib / figures.MEMORY_STEP_MIB) * figures.MEMORY_STEP_MIB)


def _disks(load: Load, partitions: int) -> Iterable[tuple[str, float]]:
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
            days = int(topic.config["retention.ms"]) / 1_000 / figures.DAY_SECONDS
            kib = per_day.get(topic.name, 0.0) * days * figures.RECORD_KIB
        yield topic.name, kib * figures.COPIES / 1024**2
    rows = load.commands_per_day * figures.READ_MODEL_DAYS * figures.ROWS_PER_COMMAND + load.authorizations
    yield DATABASE, rows * figures.ROW_KIB / 1024**2
