"""Every fault that must raise an alert: the table in docs/operations.md, and the source of scenarios and drills.

`make alerts` holds each row against the chart's rules (`tests/alerts/faults.py`), and
`tests/system/installations/test_faults.py` against real processes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BEGIN: Final = "<!-- Made by `make docs` from docs_build/faults.py; don't edit. -->\n"
END: Final = "<!-- End of the faults -->\n"
_CHECK: Final = "gateway check --for {}"
_TOP: Final = "gateway top --once --admin http://127.0.0.1:9090"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and its first alert.

    Attributes:
        name: a slug, by which a scenario and a drill belong to the row.
        fault: what is wrong.
        alert: the first alert that fires, without the common prefix.
        severity, page: the alert's severity, and its section of docs/operations.md.
        minutes: the alert has fired this long after the fault began.
        words: the alert's summary, for the processes of the scenario.
        command: the first command of that section.
        no_drill: why the fault has no drill on real processes; empty if it has one.
    """

    name: str
    fault: str
    alert: str
    severity: str
    page: str
    minutes: int
    words: str
    command: str
    no_drill: str = ""


def _gone(process: str) -> Fault:
    return Fault(
        f"{process}-gone",
        f"every {process} has ended",
        "Absent",
        "critical",
        "a-process-is-gone",
        6,
        f"No {process} runs: Prometheus gets no metrics from any",
        _TOP,
    )


def _missing(process: str) -> Fault:
    return Fault(
        f"{process}-missing",
        f"one of two processes of {process} has ended, and its pod too",
        "ProcessMissing",
        "warning",
        "a-process-is-gone",
        11,
        f"Too few processes of {process} run: 1",
        _TOP,
    )


FAULTS: Final = (
    *(_gone(process) for process in ("ingress", "worker", "projector", "deliverer", "console")),
    *(_missing(process) for process in ("ingress", "worker", "console")),
    Fault(
        "frozen",
        "a process is frozen, or nothing answers at its port",
        "ProcessSilent",
        "warning",
        "a-process-is-gone",
        6,
        "worker-1 does not answer Prometheus: it is frozen, ended or cut off",
        _TOP,
    ),
    Fault(
        "crash-loop",
        "a process ends again after each start",
        "ProcessRestarts",
        "critical",
        "a-process-is-gone",
        7,
        "projector-0 has restarted 4 times in half an hour",
        _TOP,
    ),
    Fault(
        "database-away",
        "PostgreSQL is away",
        "DatabaseAway",
        "warning",
        "the-database-is-away",
        6,
        "projector-0 cannot use PostgreSQL; status and timelines are not available, commands are",
        _CHECK.format("projector"),
    ),
    Fault(
        "database-full",
        "PostgreSQL has no connection or no disk left",
        "DatabaseAway",
        "warning",
        "the-database-is-away",
        6,
        "projector-0 cannot use PostgreSQL; status and timelines are not available, commands are",
        _CHECK.format("projector"),
    ),
    Fault(
        "database-nearly-full",
        "more than 80 % of PostgreSQL's connections are open",
        "DatabaseFull",
        "warning",
        "the-database-is-full",
        6,
        "PostgreSQL has 33 open connections, more than 80 % of the allowed number",
        _CHECK.format("ingress"),
    ),
    Fault(
        "kafka-away",
        "Kafka is away while no command is sent",
        "KafkaAway",
        "critical",
        "kafka-is-away",
        3,
        "worker-1 cannot reach Kafka",
        _CHECK.format("worker"),
    ),
    Fault(
        "kafka-away-from-one-ingress",
        "one ingress cannot reach Kafka, another can",
        "KafkaAway",
        "critical",
        "kafka-is-away",
        3,
        "ingress-1 cannot reach Kafka",
        _CHECK.format("ingress"),
    ),
    Fault(
        "ingress-degraded",
        "one ingress reads no events or no dead letters, and answers without them",
        "NotReady",
        "warning",
        "a-process-is-not-ready",
        11,
        "ingress-1 is not ready, or degraded; its /readyz gives the reason",
        _CHECK.format("ingress"),
        no_drill="no: Kafka must serve only some topics",
    ),
    Fault(
        "collate-429",
        "Collate answers 429 for 5 minutes",
        "RateLimited",
        "warning",
        "lag-grows",
        4,
        "Collate answers 429: the gateway's calls are above its limit, and commands wait",
        _TOP,
    ),
    Fault(
        "one-key-late",
        "a command of one authorization is unfinished for 5 minutes",
        "OneKeyUnfinished",
        "warning",
        "one-authorization-is-stuck",
        6,
        "One authorization waits: the oldest unfinished command of partition 3 is 5m 1s old",
        'gateway status "$COMMAND"',
        no_drill="no: an age of 5 minutes",
    ),
    Fault(
        "several-keys-late",
        "commands of several keys are, or a partition stands",
        "OldestUnfinished",
        "critical",
        "lag-grows",
        6,
        "Several authorizations wait: the oldest unfinished command of partition 3 is 5m 1s old",
        _TOP,
        no_drill="no: an age of 5 minutes",
    ),
    Fault(
        "clock-skew",
        "a clock differs from Collate's by more than 5 s",
        "ClockSkew",
        "warning",
        "a-clock-is-wrong",
        6,
        "The clock of worker-1 and Collate's differ by at least 30s",
        "date --utc",
    ),
    Fault(
        "certificate-ends",
        "a certificate ends within 14 days",
        "CredentialEnds",
        "warning",
        "a-credential-ends",
        6,
        "The certificate or token of collate.ca_file has 13d 0h 0m 0s left",
        _CHECK.format("worker"),
    ),
    Fault(
        "token-ends",
        "a token of a year ends within 14 days, or one of a day is not renewed",
        "CredentialEnds",
        "warning",
        "a-credential-ends",
        6,
        "The certificate or token of kafka.token_file has 2h 0m 0s left",
        _CHECK.format("worker"),
        no_drill="as a certificate",
    ),
)


def put_into(page: str) -> str:
    """Return the page with the table between its marks."""
    head, _, rest = page.partition(BEGIN)
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows())
    return head + BEGIN + "\n" + rows + "\n" + END + rest.partition(END)[2]


def _rows() -> Iterator[tuple[str, ...]]:
    yield "fault", "first alert", "within", "first command", "drill"
    yield ("---",) * 5
    for fault in FAULTS:
        yield (
            fault.fault,
            f"[`CollateGateway{fault.alert}`](#{fault.page}), {fault.severity}",
            f"{fault.minutes} min",
            f"`{fault.command}`",
            fault.no_drill or "yes",
        )
