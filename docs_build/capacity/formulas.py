"""The three worked sizes and the formulas in docs/capacity.md."""

from collections.abc import Iterator
from typing import Final

from docs_build.capacity import figures
from docs_build.capacity.sizes import DATABASE, Load, Size, size_of
from docs_build.markdown import table
from runtime.settings import WorkerSettings
from runtime.settings.processes import UNKNOWN_STATE_BYTES

CALLERS: Final = 12
EXAMPLES: Final = {
    "small": Load(authorizations=10_000, commands_per_day=2_000, calls_per_second=20),
    "medium": Load(authorizations=50_000, commands_per_day=10_000, calls_per_second=100),
    "large": Load(authorizations=200_000, commands_per_day=100_000, calls_per_second=1_000),
}


def formulas() -> dict[str, str]:
    """Return each formula with the figures of the code, by its result."""
    return {
        "commands/s": "commands a day × share of the busiest hour ÷ 3,600",
        "calls/s of commands": f"commands/s × {figures.CALLS_PER_COMMAND}",
        "calls/s of observations": (
            f"authorizations ÷ 3,600 + handoffs/s × observations of a handoff; a handoff is "
            f"{figures.COMMANDS_PER_HANDOFF} commands"
        ),
        "calls/s of the workers": f"calls/s of Collate × workers ÷ (workers + ingress + {figures.ROLLING_UPDATE})",
        "workers": (
            f"the larger of {figures.LEAST_REPLICAS}, processor time × {figures.RESERVE}, and the number whose calls/s "
            "suffice for the longest intervals"
        ),
        "processor time of workers": (
            f"commands/s ÷ {figures.WORKER_COMMANDS} + observations/s ÷ {figures.WORKER_OBSERVATIONS}"
        ),
        "ingress": (
            f"commands/s × {figures.REQUESTS_PER_COMMAND} requests ÷ {figures.INGRESS_REQUESTS:,} × "
            f"{figures.RESERVE}, at least {figures.LEAST_REPLICAS}"
        ),
        "partitions": (f"workers × {figures.WORKERS_PER_PARTITIONS}, rounded up to a multiple of {figures.PARTITIONS}"),
        "calls in flight": (
            f"calls/s of Collate × seconds of a call ({figures.CALL_SECONDS:g}) × {figures.RESERVE}, "
            "at least 2 for each process"
        ),
        "memory request of a worker": (
            f"{figures.WORKER_MIB} MiB + authorizations ÷ (workers − 1) × {figures.STATE_KIB} KiB, "
            f"at least {figures.LEAST_REQUEST_MIB} MiB"
        ),
        "memory limit of a worker": (
            f"the request + partitions ÷ (workers − 1) × {figures.READ_AHEAD_MIB} MiB, at least {figures.STATE_PARTS} "
            f"times the states of watched authorizations and {figures.LEAST_LIMIT_MIB} MiB"
        ),
        "disk of `commands`": (
            f"commands a day × {figures.RECORDS_PER_COMMAND} × 7 d × {figures.RECORD_KIB} KiB × copies"
        ),
        "disk of `events`": f"handoffs a day × {figures.EVENTS_PER_HANDOFF} × 30 d × {figures.RECORD_KIB} KiB × copies",
        "disk of `authorizations`, of `state`": (
            f"(authorizations × {figures.COMPACTED_COPIES} + changes of {figures.COMPACTION_LAG_HOURS} h) × "
            f"{figures.RECORD_KIB} KiB × copies + a segment of {figures.SEGMENT_MIB} MiB for each copy of a partition"
        ),
        "disk of PostgreSQL": (
            f"commands a day × {figures.READ_MODEL_DAYS} d × {figures.ROWS_PER_COMMAND} rows × {figures.ROW_KIB} KiB"
        ),
    }


def part() -> str:
    """Return the sizes, the formulas and the bounds, with the figures of today's code."""
    columns = [_column(size_of(load)) for load in EXAMPLES.values()]
    unknown = _unknown(size_of(EXAMPLES["small"]).worker_limit)
    return "\n".join(
        (
            table(("", *EXAMPLES), ((name, *(column[name] for column in columns)) for name in columns[0])),
            table(("result", "calculation"), formulas().items()),
            f"What callers can fill by ids that Collate does not show, with the small limit and {CALLERS} callers:\n",
            table(("", "all callers", "one caller"), unknown),
        )
    )


def _column(size: Size) -> dict[str, str]:
    """Return the results of one size, by their names."""
    load, calls = size.load, size.calls
    kafka = sum(gib for name, gib in size.disks.items() if name != DATABASE)
    slowdowns = calls.slowdowns(size.worker_calls_per_second)
    return {
        "watched authorizations": f"{load.authorizations:,}",
        "commands a day, a fifth in the busiest hour": f"{load.commands_per_day:,.0f}",
        "`collate.calls_per_second`, as granted by Collate": f"{load.calls_per_second:g}",
        "calls/s wanted: commands + observations": f"{_number(calls.commands)} + {_number(calls.observations)}",
        "calls/s of the workers": _number(size.worker_calls_per_second),
        "intervals between observations grow by the factor": (
            "{:.2g} for open handoffs, {:.2g} for others".format(*slowdowns)
        ),
        "`worker.replicas`": f"{size.workers}",
        "`ingress.replicas`": f"{size.ingress}",
        "`settings.topics.partitions`": f"{size.partitions}",
        "`settings.collate.concurrency`": f"{size.concurrency}",
        "`worker.resources.requests`": f"{size.worker_millicores}m, {size.worker_request}Mi",
        "`worker.resources.limits.memory`": f"{size.worker_limit}Mi",
        f"disk of Kafka, {figures.COPIES} copies": _gib(kafka),
        f"disk of PostgreSQL, {figures.READ_MODEL_DAYS} days": _gib(size.disks[DATABASE]),
    }


def _unknown(limit_mib: int) -> Iterator[tuple[str, ...]]:
    """Yield the bounds of decision 0028 and what they fill, with all copies."""
    memory = WorkerSettings(memory_limit=limit_mib << 20).state_memory // 2
    counts = [memory // UNKNOWN_STATE_BYTES, memory // UNKNOWN_STATE_BYTES // CALLERS]
    yield "commands of such ids a day", *(f"{count:,}" for count in counts)
    yield "memory of the workers", *(f"{count * UNKNOWN_STATE_BYTES / 1024**2:.0f} MiB" for count in counts)
    copies, record = figures.COPIES, figures.RECORD_KIB
    kib = {
        "disk of `commands`, 7 d": 7 * copies * record,
        "disk of `events`, 30 d": 30 * copies * record,
        "disk of `state`": figures.COMPACTED_COPIES * copies * record,
        f"disk of PostgreSQL, {figures.READ_MODEL_DAYS} d": (
            figures.READ_MODEL_DAYS * figures.ROWS_PER_UNKNOWN_COMMAND * figures.ROW_KIB
        ),
    }
    for name, each in kib.items():
        yield name, *(f"{count * each / 1024**2:.1f} GiB" for count in counts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _gib(value: float) -> str:
    return f"{max(value, 0.1):,.1f} GiB" if value < 10 else f"{value:,.0f} GiB"
