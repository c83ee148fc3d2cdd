"""A scenario for each alert: a time line in minutes on which it must fire, keep firing and recover.

Each scenario has three cases, which `promtool test rules` checks:

    first     healthy until `begins`: nothing fires; at `first` minutes the first occurrence has fired
    steady    at `steady` minutes the alert still fires, because the fault lasts; None if it is an event that passes
    recovery  at `recovered` minutes nothing is wrong; KEPT minutes later nothing fires

A new alert needs a scenario; `tests/chart/test_scenarios.py` names the alerts without one. Pure data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "collate_gateway_"
RELEASE: Final = 'namespace="payers", job="prod-gateway-admin"'
BEGINS: Final = 20
DAY: Final = 86_400.0
Values = Callable[[int], float | None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One alert on a time line. `series` are values by minute; None means no sample. Most faults end at minute 120."""

    alert: str
    series: Mapping[str, Values]
    first: int
    steady: int | None = 119
    recovered: int = 121


def gauge(bad: float, good: float = 0.0, *, ends: int = 120) -> Values:
    """Return a gauge that is bad from BEGINS until `ends`."""
    return lambda minute: bad if BEGINS <= minute < ends else good


def counter(per_minute: float, *, ends: int = 120, before: float = 0.0) -> Values:
    """Return a counter that grows by `per_minute` from BEGINS until `ends`, and by `before` at other times."""

    def value(minute: int) -> float:
        bad = max(0, min(minute, ends) - BEGINS)
        return before * (minute - bad) + per_minute * bad

    return value


def one_event(minute: int) -> float:
    """Return the value of a counter that has counted one event at BEGINS."""
    return float(minute >= BEGINS)


def born_at_one(minute: int) -> float | None:
    """Return the value of a counter of a process that started at BEGINS and counted before its first sample."""
    return 1.0 if minute >= BEGINS else None


def sample(name: str, labels: str = "", pod: str = "worker-0") -> str:
    """Return a series of the release."""
    own = f"{labels}, " if labels else ""
    return f'{PREFIX}{name}{{{own}pod="{pod}", {RELEASE}}}'


def started(pod: str = "worker-0", minute: int = -1_000) -> dict[str, Values]:
    """Return the series that says when a process started."""
    return {f'process_start_time_seconds{{pod="{pod}", {RELEASE}}}': lambda _: minute * 60.0}


def passing(alert: str, name: str, labels: str, *, window: int, pod: str = "worker-0") -> tuple[Scenario, ...]:
    """Return the scenarios of an alert on one event: of a running process, and of one that has just started."""
    done, young = BEGINS + window + 5, BEGINS + window + 5
    return (
        Scenario(alert, {sample(name, labels, pod): one_event} | started(pod), BEGINS + 1, None, done),
        Scenario(alert, {sample(name, labels, pod): born_at_one} | started(pod, BEGINS), BEGINS + 1, None, young),
        Scenario(alert, {sample(name, labels, pod): counter(1)} | started(pod), BEGINS + 2, recovered=121 + window),
    )


COMMANDS_ROUTE: Final = "/v1/authorizations/{authorizationId}/handoffs"
GRANTS_ROUTE: Final = "/v1/authorizations/{authorizationId}/handoffs/{handoffId}/access-grants"
READS_ROUTE: Final = "/v1/commands/{commandId}"


def requests(route: str, method: str, failed: Values, ok: Values) -> dict[str, Values]:
    """Return the requests of a route: those with 503, and those with 202."""
    labels = f'route="{route}", method="{method}", status='
    return {
        sample("requests_total", f'{labels}"503"', "ingress-0"): failed,
        sample("requests_total", f'{labels}"202"', "ingress-0"): ok,
    }


def failing(alert: str, route: str, method: str) -> tuple[Scenario, ...]:
    """Return a scenario in which half of the requests of one route fail, and no request of the others."""
    series = requests(route, method, counter(30), counter(30, before=60))
    for other, verb in ((COMMANDS_ROUTE, "POST"), (GRANTS_ROUTE, "POST"), (READS_ROUTE, "GET")):
        if other != route:
            series |= requests(other, verb, lambda _: 0.0, lambda minute: 60.0 * minute)
    return (Scenario(alert, series, BEGINS + 7, recovered=130),)


def burning(name: str, good: str, everything: str, labels: str, share: float) -> tuple[Scenario, ...]:
    """Return scenarios of both burn rates: a share of the events is bad for some hours."""
    all_of = counter(60, before=60, ends=500)
    good_of = counter(60 * (1 - share), before=60, ends=500)
    series = {sample(good, labels): good_of, sample(everything, labels.rpartition("le=")[0].rstrip(", ")): all_of}
    if good == everything:  # the bad ones are another series of the same counter
        bad = labels.replace('status="202"', 'status="503"')
        series = {sample(good, labels): good_of, sample(good, bad): counter(60 * share, ends=500)}
    return (
        Scenario(f"CollateGateway{name}BudgetBurnsFast", series, BEGINS + 45, 499, 520),
        Scenario(f"CollateGateway{name}BudgetBurnsSlowly", series, BEGINS + 170, 499, 900),
    )


def late(
    partition: str = "3", *, second: float = 0, paused: float = 0, gap: float = 5, ends: int = 120
) -> dict[str, Values]:
    """Return the series of a partition with a command that is unfinished for too long."""
    series = {"oldest_unfinished_seconds": 301, "second_key_unfinished_seconds": second, "paused": paused, "gap": gap}
    number = int(partition) % 2
    return {
        sample(name, f'partition="{partition}"', f"worker-{number}"): gauge(bad, ends=ends)
        for name, bad in series.items()
    }


def credential(life_seconds: float, left_seconds: float) -> dict[str, Values]:
    """Return the series of a credential of which `left_seconds` are left at BEGINS, and a whole life from 120 on."""
    labels, ends = 'credential="kafka.token_file"', 60.0 * BEGINS + left_seconds
    return {
        sample("credential_expires_timestamp_seconds", labels): lambda minute: (
            ends if minute < 120 else 60.0 * minute + life_seconds
        ),
        sample("credential_life_seconds", labels): lambda _: life_seconds,
    }


def cron_job(last_success: Values, created: Values) -> dict[str, Values]:
    """Return what kube-state-metrics says of the CronJob that checks the promises."""
    of = '{namespace="payers", cronjob="prod-gateway-promises"}'
    return {f"kube_cronjob_status_last_successful_time{of}": last_success, f"kube_cronjob_created{of}": created}


FAILED_JOB: dict[str, Values] = {
    'kube_job_failed{namespace="payers", job_name="prod-gateway-promises-29381", condition="true"}': lambda minute: (
        1.0 if BEGINS <= minute < 120 else None
    )
}


def every_hour(minute: int) -> float:
    """Return when the last run succeeded, in an installation whose runs succeed."""
    return 3_600.0 * (minute // 60)


def missing_until_120(minute: int) -> float | None:
    """Return the time of a CronJob that is deleted at BEGINS and comes back at minute 120."""
    return None if BEGINS <= minute < 120 else 60.0 * minute


LOOP: Final = {
    sample("loop_delay_seconds_bucket", 'le="0.25"'): counter(0, before=60),
    sample("loop_delay_seconds_bucket", 'le="0.5"'): counter(60, before=60),
    sample("loop_delay_seconds_bucket", 'le="+Inf"'): counter(60, before=60),
}
GONE: Final[dict[str, Values]] = {
    sample("build_info", f'process="{process}", version="1"', f"{process}-{number}"): (
        (lambda minute: None if BEGINS <= minute < 120 else 1.0) if process == "projector" else lambda _: 1.0
    )
    for process, processes in {"ingress": 2, "worker": 2, "projector": 1, "deliverer": 1, "console": 2}.items()
    for number in range(processes)
}
SILENT: Final[dict[str, Values]] = {f'up{{pod="worker-0", {RELEASE}}}': gauge(0, 1)}


def restarts(minute: int) -> float:
    """Return the start time of a process that starts every five minutes from BEGINS until 120."""
    return 300.0 * (max(BEGINS, min(minute, 120)) // 5)


MIXED: Final[dict[str, Values]] = {
    sample("build_info", 'process="worker", version="1"'): lambda _: 1.0,
    sample("build_info", 'process="worker", version="2"', "worker-1"): (
        lambda minute: 1.0 if BEGINS <= minute < 120 else None
    ),
}

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *passing("CollateGatewayDoubleEffect", "double_effects_total", "", window=60),
    Scenario("CollateGatewayPartitionStopped", {sample("stopped", 'partition="3"'): gauge(1)}, BEGINS),
    # The gauge appears with its first dead letter, and lasts as long as one is open.
    Scenario(
        "CollateGatewayDeadLetters",
        {
            sample("dead_letters_open", 'cause="too_old"', "ingress-0"): lambda minute: (
                born_at_one(minute) if minute < 120 else 0.0
            )
        },
        BEGINS + 2,
    ),
    Scenario("CollateGatewayOldestUnfinished", late(second=301), BEGINS + 6),
    # The partition reads nothing more, or does not run.
    Scenario("CollateGatewayOldestUnfinished", late(paused=1), BEGINS + 6),
    Scenario("CollateGatewayOldestUnfinished", late(gap=0), BEGINS + 6),
    # One key of each of two partitions.
    Scenario("CollateGatewayOldestUnfinished", late() | late("4"), BEGINS + 6),
    Scenario("CollateGatewayOneKeyUnfinished", late(), BEGINS + 6),
    Scenario("CollateGatewayPartitionPaused", {sample("paused", 'partition="3"'): gauge(1)}, BEGINS + 11),
    Scenario(
        "CollateGatewayPartitionsUnowned",
        {
            sample("partitions", 'state="running"'): gauge(5, 6),
            sample("partitions", 'state="running"', "worker-1"): gauge(6, 6),
        },
        BEGINS + 6,
    ),
    *passing("CollateGatewayHandlerFails", "handler_failures_total", 'reason="handler_failed"', window=15),
    Scenario("CollateGatewayFenced", {sample("fenced_total", 'partition="3"'): counter(1)}, BEGINS + 5, recovered=140),
    *passing("CollateGatewayTransactionTorn", "torn_transactions_total", 'result="lost"', window=60),
    Scenario("CollateGatewayEpochsReplaced", {sample("epochs_replaced_total"): counter(1)}, BEGINS + 7, recovered=174),
    Scenario(
        "CollateGatewayTransactionsFail",
        {sample("transaction_failures_total", 'reason="ProducerFenced"'): counter(6)},
        BEGINS + 10,
        recovered=130,
    ),
    Scenario("CollateGatewayCredentialsRefused", {sample("collate_credentials_refused"): gauge(1)}, BEGINS + 2),
    # A Collate that does not answer: each probe waits for its timeout, and the breaker is half open meanwhile.
    Scenario(
        "CollateGatewayCollateDown",
        {sample("collate_breaker"): lambda minute: 1 + minute % 2 if BEGINS <= minute < 120 else 0},
        BEGINS + 7,
        recovered=123,
    ),
    Scenario(
        "CollateGatewayRateLimited",
        {sample("collate_breakers", 'reason="rate_limited", calls="all"'): gauge(1)},
        BEGINS + 4,
    ),
    Scenario(
        "CollateGatewayAccessForbidden",
        {sample("collate_breakers", 'reason="forbidden", calls="writes"'): gauge(2)},
        BEGINS + 6,
    ),
    Scenario("CollateGatewayIntentsResent", {sample("intents_resent_total"): counter(30)}, BEGINS + 15, recovered=140),
    *failing("CollateGatewayRequestsFail", COMMANDS_ROUTE, "POST"),
    *failing("CollateGatewayLiveCallsFail", GRANTS_ROUTE, "POST"),
    *failing("CollateGatewayReadsFail", READS_ROUTE, "GET"),
    Scenario(
        "CollateGatewayPublishFails",
        {sample("publish_failures_total", 'reason="deadline"', "ingress-0"): counter(1)},
        BEGINS + 7,
        recovered=130,
    ),
    Scenario(
        "CollateGatewaySheds",
        {sample("shed_total", 'reason="rate"', "ingress-0"): counter(1)},
        BEGINS + 12,
        recovered=130,
    ),
    *passing("CollateGatewayCallersRefused", "callers_reloads_total", 'result="refused"', window=15, pod="ingress-0"),
    *passing(
        "CollateGatewayReportContradicted",
        "handoff_agreements_total",
        'agreement="contradicts", when="reconciled", payer="other"',
        window=60,
    ),
    *passing("CollateGatewayAuthorizationOverdue", "authorizations_overdue_total", 'payer="other"', window=60),
    Scenario(
        "CollateGatewayPersonWaits",
        {sample("people_waiting_oldest_seconds", "", "projector-0"): gauge(14_401)},
        BEGINS + 16,
    ),
    Scenario(
        "CollateGatewayPayerTurnsPeopleAway",
        {
            sample("people_turned_away", 'payer="payer_a"', "projector-0"): gauge(3),
            sample("people_turned_away", 'payer="other"', "projector-0"): lambda _: 5.0,  # never fires
        },
        BEGINS + 3,
    ),
    Scenario("CollateGatewayAbsent", GONE, BEGINS + 6),
    Scenario("CollateGatewayProcessMissing", GONE, BEGINS + 11),
    Scenario("CollateGatewayProcessSilent", SILENT, BEGINS + 6),
    Scenario(
        "CollateGatewayProcessRestarts",
        {f'process_start_time_seconds{{pod="worker-0", {RELEASE}}}': restarts},
        BEGINS + 20,
        recovered=140,
    ),
    Scenario("CollateGatewayKafkaAway", {sample("kafka_away"): gauge(1)}, BEGINS + 3),
    # The run of minute 60 fails; that of minute 120 succeeds.
    Scenario(
        "CollateGatewayPromisesNotChecked",
        cron_job(lambda minute: 7_200.0 if minute >= 120 else 0.0, lambda _: 0.0),
        96,
    ),
    Scenario("CollateGatewayPromisesNotChecked", cron_job(missing_until_120, missing_until_120), BEGINS + 11),
    # Later runs succeed: the alert stays until an operator deletes the failed Job.
    Scenario("CollateGatewayPromisesNotChecked", cron_job(every_hour, lambda _: 0.0) | FAILED_JOB, BEGINS + 6),
    Scenario("CollateGatewayTopicGrew", {sample("surplus_partitions"): gauge(4)}, BEGINS + 6),
    Scenario("CollateGatewayDatabaseAway", {sample("database_away", "", "projector-0"): gauge(1)}, BEGINS + 6),
    Scenario("CollateGatewayClockSkew", {sample("collate_clock_skew_seconds"): gauge(5.1, 4.9)}, BEGINS + 6),
    # A certificate of a year; a token of an hour is renewed each 50 minutes, and then no longer.
    Scenario("CollateGatewayCredentialEnds", credential(365 * DAY, 14 * DAY), BEGINS + 7),
    Scenario("CollateGatewayCredentialEnds", credential(3_600, 360), BEGINS + 7),
    Scenario(
        "CollateGatewayDatabaseFull",
        {
            sample("database_connections", 'part="other"'): gauge(31),
            sample("database_connections", 'part="projector writes"'): gauge(2),
            sample("database_connections_allowed"): gauge(40, 40),
        },
        BEGINS + 6,
    ),
    Scenario("CollateGatewayNotReady", {sample("ready"): gauge(0, 1)}, BEGINS + 11),
    Scenario("CollateGatewayLoopLate", LOOP, BEGINS + 16, recovered=130),
    Scenario(
        "CollateGatewayStatesFillMemory",
        {sample("state_bytes", f'partition="{number}"'): gauge(190e6, 180e6) for number in (3, 4)}
        | {sample("state_bytes_limit"): lambda _: 537e6},
        BEGINS + 6,
    ),
    Scenario("CollateGatewayVersionsMixed", MIXED, BEGINS + 62, recovered=126),
    *burning(
        "Acceptance",
        "requests_total",
        "requests_total",
        f'route="{COMMANDS_ROUTE}", method="POST", status="202"',
        0.05,
    ),
    *burning(
        "Outcome",
        "command_finish_seconds_bucket",
        "command_finish_seconds_count",
        'command="handoff.request", le="60.0"',
        0.5,
    ),
    *burning("Reaction", "timer_late_seconds_bucket", "timer_late_seconds_count", 'le="5.0"', 0.5),
    Scenario("CollateGatewayProjectorBehind", {sample("projector_lag", "", "projector-0"): gauge(2_000)}, BEGINS + 11),
    *passing(
        "CollateGatewayProjectorUnreadable",
        "projector_unreadable_total",
        'topic="events"',
        window=15,
        pod="projector-0",
    ),
    Scenario(
        "CollateGatewaySubscriptionStopped",
        {sample("deliverer_stopped", 'subscription="billing"', "deliverer-0"): gauge(1)},
        BEGINS + 1,
    ),
    Scenario(
        "CollateGatewayReceiverDown",
        {sample("deliverer_down", 'subscription="billing"', "deliverer-0"): gauge(1)},
        BEGINS + 6,
    ),
    Scenario(
        "CollateGatewayDeliveryLate",
        {sample("deliverer_oldest_unfinished_seconds", 'subscription="billing"', "deliverer-0"): gauge(301)},
        BEGINS + 11,
    ),
    *passing(
        "CollateGatewayDeliveryDeadLetters",
        "deliverer_dead_letters_total",
        'subscription="billing"',
        window=15,
        pod="deliverer-0",
    ),
    Scenario(
        "CollateGatewayDelivererPartitions",
        {sample("deliverer_partitions_not_running", 'subscription="billing"', "deliverer-0"): gauge(2)},
        BEGINS + 6,
    ),
    *passing(
        "CollateGatewaySubscriptionsRefused",
        "deliverer_subscriptions_reloads_total",
        'result="refused"',
        window=15,
        pod="deliverer-0",
    ),
)
