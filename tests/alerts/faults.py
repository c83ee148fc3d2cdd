"""The time line of each fault of `docs_build.faults`, among healthy processes: the series that the fault changes.

A fault lasts from BEGINS to ENDS. Minutes; None means no sample. Pure data.
"""

from collections.abc import Callable, Mapping
from typing import Final

from tests.alerts.scenarios import BEGINS, DAY, RELEASE, Values, cron_job, every_hour, gauge, late, sample

ENDS: Final = 46
PODS: Final = {
    "ingress-0": "ingress",
    "ingress-1": "ingress",
    "worker-0": "worker",
    "worker-1": "worker",
    "projector-0": "projector",
    "deliverer-0": "deliverer",
    "console-0": "console",
    "console-1": "console",
}
Series = Mapping[str, Values]


def _always(value: float) -> Values:
    return lambda _: value


def is_struck(minute: int) -> bool:
    """Return whether the fault lasts."""
    return BEGINS <= minute < ENDS


def while_alive(values: Values, is_dead: Callable[[int], bool]) -> Values:
    """Return the values of a process, without those of the minutes in which it is dead."""
    return lambda minute: None if is_dead(minute) else values(minute)


def of_process(pod: str) -> dict[str, Values]:
    """Return the healthy series that every process has."""
    process = PODS[pod]
    return {
        f'up{{pod="{pod}", {RELEASE}}}': _always(1),
        f'process_start_time_seconds{{pod="{pod}", {RELEASE}}}': _always(-60_000),
        sample("build_info", f'process="{process}", version="1"', pod): _always(1),
        sample("ready", "", pod): _always(1),
    } | ({} if process == "console" else {sample("kafka_away", "", pod): _always(0)})


def healthy() -> dict[str, Values]:
    """Return the series of an idle installation without a fault."""
    series = {name: values for pod in PODS for name, values in of_process(pod).items()}
    for number in range(12):
        labels, pod = f'partition="{number}"', f"worker-{number % 2}"
        for name in ("oldest_unfinished_seconds", "second_key_unfinished_seconds", "gap", "paused", "stopped"):
            series[sample(name, labels, pod)] = _always(0)
    for pod in ("worker-0", "worker-1"):
        series[sample("partitions", 'state="running"', pod)] = _always(6)
    for pod in ("ingress-0", "ingress-1", "projector-0"):
        series[sample("database_away", "", pod)] = _always(0)
    for pod in ("ingress-0", "ingress-1"):
        series[sample("database_connections", 'part="other"', pod)] = _always(5)
        series[sample("database_connections", 'part="projector writes"', pod)] = _always(2)
        series[sample("database_connections_allowed", "", pod)] = _always(40)
    for pod in ("ingress-0", "ingress-1", "worker-0", "worker-1"):
        series[sample("collate_breakers", 'reason="rate_limited", calls="all"', pod)] = _always(0)
    return series | cron_job(every_hour, _always(0))


def without(*pods: str) -> dict[str, Values]:
    """Return the series of processes that are gone: none at all, because Prometheus knows no pod any more."""
    known = healthy().items()
    ended = {name: while_alive(values, is_struck) for name, values in known for pod in pods if f'pod="{pod}"' in name}
    # The other worker takes the partitions over.
    taken = {sample("partitions", 'state="running"', "worker-0"): gauge(12, 6, ends=ENDS)} if "worker-1" in pods else {}
    return ended | ({} if "worker-0" in pods else taken)


def silent(pod: str) -> dict[str, Values]:
    """Return the series of a process that Prometheus knows and that does not answer."""
    return without(pod) | {f'up{{pod="{pod}", {RELEASE}}}': gauge(0, 1, ends=ENDS)}


def restarting(pod: str) -> dict[str, Values]:
    """Return the series of a process that lives for a minute after each start, one minute in two."""

    def is_dead(minute: int) -> bool:
        return is_struck(minute) and minute % 2 == 1

    def started(minute: int) -> float:
        return 60.0 * min(minute, ENDS) if minute >= BEGINS else -60_000.0

    return {name: while_alive(values, is_dead) for name, values in of_process(pod).items()} | {
        f'up{{pod="{pod}", {RELEASE}}}': lambda minute: float(not is_dead(minute)),
        f'process_start_time_seconds{{pod="{pod}", {RELEASE}}}': while_alive(started, is_dead),
    }


def _all(process: str) -> dict[str, Values]:
    return without(*(pod for pod, one in PODS.items() if one == process))


def _at(pod: str, name: str) -> dict[str, Values]:
    return {sample(name, "", pod): gauge(1, ends=ENDS)}


_LIMITED: Final = {
    sample("collate_breakers", 'reason="rate_limited", calls="all"', "worker-1"): (
        # Probing and open in turn.
        lambda minute: 1.0 + minute % 2 if is_struck(minute) else 0.0
    )
}
_USERS_OF_KAFKA: Final = [pod for pod, process in PODS.items() if process != "console"]
_KAFKA_AWAY: Final = {name: values for pod in _USERS_OF_KAFKA for name, values in _at(pod, "kafka_away").items()}


def ends_in(seconds: float, life_seconds: float, credential: str) -> dict[str, Values]:
    """Return the series of a credential that ends `seconds` after its alert, and is renewed at the end of the fault."""
    labels, ends = f'credential="{credential}"', 60.0 * (BEGINS + 6) + seconds
    return {
        sample("credential_expires_timestamp_seconds", labels, "worker-1"): gauge(ends, ends + life_seconds, ends=ENDS),
        sample("credential_life_seconds", labels, "worker-1"): _always(life_seconds),
    }


# By the fault's name: the labels of its alerts, and the series that it changes.
TIME_LINES: Final[Mapping[str, tuple[list[dict[str, str]], Series]]] = {
    **{f"{process}-gone": ([{"process": process}], _all(process)) for process in sorted(set(PODS.values()))},
    **{
        f"{process}-missing": ([{"process": process}], without(f"{process}-1"))
        for process in ("ingress", "worker", "console")
    },
    "frozen": ([{"pod": "worker-1"}], silent("worker-1")),
    "crash-loop": ([{"pod": "projector-0"}], restarting("projector-0")),
    "database-away": ([{"pod": "projector-0"}], _at("projector-0", "database_away")),
    "database-full": ([{"pod": "projector-0"}], _at("projector-0", "database_away")),
    "database-nearly-full": (
        [{}],
        {sample("database_connections", 'part="other"', "ingress-1"): gauge(31, 5, ends=ENDS)},
    ),
    "kafka-away": ([{"pod": pod} for pod in _USERS_OF_KAFKA], _KAFKA_AWAY),
    "kafka-away-from-one-ingress": ([{"pod": "ingress-1"}], _at("ingress-1", "kafka_away")),
    "ingress-degraded": ([{"pod": "ingress-1"}], {sample("ready", "", "ingress-1"): gauge(0, 1, ends=ENDS)}),
    "collate-429": ([{}], _LIMITED),
    "one-key-late": ([{"partition": "3"}], late(ends=ENDS)),
    "several-keys-late": ([{"partition": "3"}], late(second=301, ends=ENDS)),
    "clock-skew": (
        [{"pod": "worker-1"}],
        {sample("collate_clock_skew_seconds", "", "worker-1"): gauge(-30, 4.5, ends=ENDS)},
    ),
    "certificate-ends": (
        [{"credential": "collate.ca_file"}],
        ends_in(13 * DAY, 365 * DAY, "collate.ca_file"),
    ),
    "token-ends": ([{"credential": "kafka.token_file"}], ends_in(7_200, DAY, "kafka.token_file")),
}
