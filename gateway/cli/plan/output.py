"""A plan as a table, as values of the chart, and as JSON. Pure."""

from collections.abc import Iterator

from gateway.cli.plan import figures
from gateway.cli.plan.capacity import Disk, Plan

_DATABASE = "database"


def verdict(plan: Plan) -> str:
    """Return the bound that counts, in a sentence."""
    tightest = plan.tightest
    start = "" if plan.fits else "The load does not fit. "
    return (
        f"{start}The bound that counts: {tightest.bound} ({tightest.reason}). "
        f"It allows {_rounded_down(tightest.commands_per_day):,} commands a day."
    )


def advice(plan: Plan) -> Iterator[str]:
    """Yield what the operator should know about the calls to Collate."""
    wanted = f"{number(plan.wanted_calls_per_second)} calls/s"
    if max(plan.open_stretch, plan.idle_stretch) > plan.longest_stretch:
        least = plan.calls.least(plan.longest_stretch) * plan.processes / plan.workers
        yield f"Collate must grant at least {number(least)} calls/s. With {wanted}, no interval grows."
    elif max(plan.open_stretch, plan.idle_stretch) > 1:
        yield (
            f"In the busiest hour, the intervals between observations grow by the factor {plan.open_stretch:.2g} for "
            f"open handoffs, {plan.idle_stretch:.2g} for others (at most {plan.longest_stretch:g}). "
            f"With {wanted} from Collate they do not grow."
        )


def rows(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield each result with its reason: name, value, calculation."""
    load, calls = plan.load, plan.calls
    yield (
        "commands",
        f"{number(load.commands_per_second)}/s",
        f"{load.commands_per_day:,.0f} a day, {load.busiest_hour:.0%} of them in the busiest hour",
    )
    yield (
        "calls to Collate",
        f"{number(calls.total)}/s",
        f"{number(calls.commands)} of commands, {number(calls.observations)} of observations",
    )
    yield (
        "calls of the workers",
        f"{number(plan.worker_calls_per_second)}/s",
        f"{load.calls_per_second:g} × {plan.workers} workers ÷ {plan.processes} processes",
    )
    yield "partitions", f"{plan.partitions}", "fixed for life"
    yield "workers", f"{plan.workers}", f"at least {figures.LEAST_REPLICAS}, with room for one that fails"
    yield "ingress", f"{plan.ingress}", f"at least {figures.LEAST_REPLICAS}, with room for one that fails"
    yield (
        "memory of a worker",
        f"{plan.worker_request_mib} MiB",
        f"limit {plan.worker_limit_mib} MiB, with all unfinished records",
    )
    yield "disk of Kafka", gib(kafka_gib(plan)), f"all topics, {load.replication} copies"
    yield "disk of PostgreSQL", gib(database(plan).gib), f"{figures.READ_MODEL_DAYS} days, only with a projector"


def values(plan: Plan, command_line: str) -> str:
    """Return the values of the chart as YAML."""
    load = plan.load
    return "\n".join(
        (
            f"# {command_line}",
            f"# Disk of Kafka, all copies: {gib(kafka_gib(plan))}; of PostgreSQL: {gib(database(plan).gib)}",
            "settings:",
            f"  topics: {{partitions: {plan.partitions}, replication: {load.replication}}}",
            f"  collate: {{calls_per_second: {load.calls_per_second:g}, concurrency: {plan.concurrency}}}",
            "ingress:",
            f"  replicas: {plan.ingress}",
            "worker:",
            f"  replicas: {plan.workers}",
            "  resources:",
            f"    requests: {{cpu: {plan.worker_millicores}m, memory: {plan.worker_request_mib}Mi}}",
            f"    limits: {{memory: {plan.worker_limit_mib}Mi}}",
            "",
        )
    )


def document(plan: Plan) -> dict[str, object]:
    """Return the plan for programs. A stretch is null if Collate's calls do not suffice for the longest intervals."""
    load, longest = plan.load, plan.longest_stretch
    return {
        "fits": plan.fits,
        "bound": plan.tightest.bound.name.lower(),
        "limits": [
            {"bound": limit.bound.name.lower(), "commandsPerDay": _rounded_down(limit.commands_per_day)}
            for limit in plan.limits
        ],
        "load": {
            "authorizations": load.authorizations,
            "commandsPerDay": load.commands_per_day,
            "callsPerSecond": load.calls_per_second,
            "busiestHour": load.busiest_hour,
            "handoffMinutes": load.handoff_minutes,
            "reconcileMinutes": load.reconcile_minutes,
            "replication": load.replication,
        },
        "callsPerSecond": {
            "commands": round(plan.calls.commands, 3),
            "observations": round(plan.calls.observations, 3),
            "ofWorkers": round(plan.worker_calls_per_second, 3),
            "wanted": round(plan.wanted_calls_per_second, 3),
        },
        "stretch": {
            "open": round(plan.open_stretch, 2) if plan.open_stretch <= longest else None,
            "idle": round(plan.idle_stretch, 2) if plan.idle_stretch <= longest else None,
        },
        "partitions": plan.partitions,
        "workers": plan.workers,
        "ingress": plan.ingress,
        "concurrency": plan.concurrency,
        "worker": {
            "millicores": plan.worker_millicores,
            "requestMiB": plan.worker_request_mib,
            "limitMiB": plan.worker_limit_mib,
        },
        "diskGiB": {disk.name: round(disk.gib, 2) for disk in plan.disks},
    }


def kafka_gib(plan: Plan) -> float:
    """Return the disk of all topics with their copies."""
    return sum(disk.gib for disk in plan.disks if disk.name != _DATABASE)


def database(plan: Plan) -> Disk:
    """Return the disk of the read model."""
    return next(disk for disk in plan.disks if disk.name == _DATABASE)


def number(value: float) -> str:
    """Format a number with three digits, or as a whole number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def gib(value: float) -> str:
    """Format a size with two digits, and never as nothing."""
    return f"{max(value, 0.1):,.1f} GiB" if value < 10 else f"{value:,.0f} GiB"


def _rounded_down(per_day: float) -> int:
    """Return a number with two digits: more would look exact."""
    whole = int(per_day)
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit
