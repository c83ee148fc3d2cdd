"""The example of `gateway plan` and its figures in docs/capacity.md, made from the code of the verb."""

from collections.abc import Iterator
from typing import Final

from gateway.cli.plan import figures
from gateway.cli.plan.capacity import Load, make_plan
from gateway.cli.plan.command import command_line
from gateway.cli.plan.output import advice, rows, values, verdict
from runtime.settings import WorkerSettings
from runtime.settings.processes import UNKNOWN_STATE_BYTES

BEGIN: Final = "<!-- Made by `make docs` from gateway/cli/plan; don't edit. -->\n"
END: Final = "<!-- End -->\n"
CALLERS: Final = 12
EXAMPLE: Final = Load(authorizations=10_000, commands_per_day=2_000, calls_per_second=20)


def put_into(page: str) -> str:
    """Return the page with the example and the figures of today's code."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + "\n" + "".join(_part()) + "\n" + END + rest.partition(END)[2]


def formulas() -> dict[str, str]:
    """Return each formula with the figures of the code, by its result."""
    speeds = figures.Speeds()
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
            f"commands/s ÷ {speeds.worker_commands_per_second:g} + observations/s ÷ "
            f"{speeds.worker_observations_per_second:g}"
        ),
        "ingress": (
            f"commands/s × {figures.REQUESTS_PER_COMMAND} requests ÷ {speeds.ingress_requests_per_second:,.0f} × "
            f"{figures.RESERVE}, at least {figures.LEAST_REPLICAS}"
        ),
        "partitions": (f"workers × {figures.WORKERS_PER_PARTITIONS}, rounded up to a multiple of {figures.PARTITIONS}"),
        "calls in flight": (
            f"calls/s of Collate × seconds of a call ({speeds.call_seconds:g}) × {figures.RESERVE}, "
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


def _part() -> Iterator[str]:
    made, line = make_plan(EXAMPLE), command_line(EXAMPLE)
    yield "| result | calculation |\n| --- | --- |\n"
    yield from (f"| {name} | {formula} |\n" for name, formula in formulas().items())
    yield f"\n```sh\n{line}\n```\n\n| | | why |\n| --- | --- | --- |\n"
    yield from (f"| {' | '.join(row)} |\n" for row in rows(made))
    yield f"\n{' '.join((verdict(made), *advice(made)))}\n\n```yaml\n{values(made, line)}```\n"
    yield "\nWhat callers can fill by ids that Collate does not show, with this limit and 12 callers:\n"
    yield "\n| | all callers | one caller |\n| --- | --- | --- |\n"
    yield from (f"| {' | '.join(row)} |\n" for row in _unknown(made.worker_limit_mib))


def _unknown(limit_mib: int) -> Iterator[tuple[str, ...]]:
    """Yield the bounds of decision 0028 and what they fill, with all copies."""
    memory = WorkerSettings(memory_limit=limit_mib << 20).state_memory // 2
    counts = [memory // UNKNOWN_STATE_BYTES, memory // UNKNOWN_STATE_BYTES // CALLERS]
    yield "commands of such ids a day", *(f"{count:,}" for count in counts)
    yield "memory of the workers", *(f"{count * UNKNOWN_STATE_BYTES / 1024**2:.0f} MiB" for count in counts)
    copies, record = EXAMPLE.replication, figures.RECORD_KIB
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
