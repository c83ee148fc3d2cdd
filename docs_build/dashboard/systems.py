"""The rows of the systems that the gateway depends on, and of its processes. Pure data."""

from typing import Final

from docs_build.dashboard.panels import Panel, Row, mean, quantiles, rate, total

ROWS: Final[tuple[Row, ...]] = (
    Row(
        "Kafka",
        (
            Panel(
                "Away",
                "1 while no broker answers the process.",
                (("max by (pod) (`kafka_away`)", "{{pod}}"),),
                page="kafka-is-away",
            ),
            Panel(
                "Duration of a publish",
                "From sending a command until all in-sync replicas have it.",
                quantiles("publish_seconds"),
                "s",
                "callers-see-503",
            ),
            Panel(
                "Publishing",
                "Commands in flight, failures by reason, and producers replaced after a failed send.",
                (
                    ("sum(`publishes_in_flight`)", "in flight"),
                    ("sum by (reason) (increase(`publish_failures_total`[RATE]))", "failed: {{reason}}"),
                    ("sum(increase(`producer_rebuilds_total`[RATE]))", "producers replaced"),
                ),
                page="callers-see-503",
            ),
            Panel(
                "Duration of a transaction",
                "From its begin to its commit.",
                quantiles("transaction_seconds"),
                "s",
                "transactions-fail",
            ),
            Panel(
                "Records and outputs",
                "Finished records, and records written in committed transactions.",
                (
                    *total("records_total", "finished"),
                    *total("outputs_total", "written"),
                    mean("transaction_records", "results a transaction"),
                ),
                page="transactions-fail",
            ),
            Panel(
                "Failed transactions and starts",
                "By reason.",
                (
                    ("sum by (reason) (increase(`transaction_failures_total`[RATE]))", "transaction: {{reason}}"),
                    ("sum by (reason) (increase(`starts_failed_total`[RATE]))", "start: {{reason}}"),
                    ("sum(increase(`fenced_total`[RATE]))", "fenced"),
                ),
                page="transactions-fail",
            ),
            Panel(
                "Partitions by state",
                "starting, running, stopped.",
                (("sum by (state) (`partitions`)", "{{state}}"),),
                page="partitions-without-a-worker",
            ),
            Panel(
                "Rebalances and restores",
                "Assignments by the group, and states that starts have read.",
                (
                    ("sum(increase(`rebalances_total`[RATE]))", "rebalances"),
                    ("sum(increase(`restores_total`[RATE]))", "restores"),
                ),
                page="partitions-without-a-worker",
            ),
            Panel(
                "Duration of a start",
                "From a partition's assignment until it reads records.",
                quantiles("restore_seconds"),
                "s",
                "partitions-without-a-worker",
            ),
        ),
    ),
    Row(
        "Collate",
        (
            Panel(
                "Calls",
                "By result. `ambiguous`: no definite response; Collate may have acted.",
                rate("collate_attempts_total", "result"),
                "ops",
                "collate-is-down",
            ),
            Panel(
                "Duration of a call",
                "By operation.",
                quantiles("collate_attempt_seconds", "operation", "{{operation}}"),
                "s",
                "collate-answers-ambiguously",
            ),
            Panel(
                "Breakers",
                "0 closed, 1 probing, 2 open; by reason and the calls that each holds.",
                (
                    ("max by (reason, calls) (`collate_breakers`)", "{{reason}} ({{calls}})"),
                    ("max(`collate_breaker`)", "faults, older name"),
                    ("sum by (state) (increase(`collate_breaker_changes_total`[RATE]))", "changes to {{state}}"),
                ),
                page="collate-is-down",
            ),
            Panel(
                "Budget",
                "Calls in flight and waiting, by priority, and the limit of each process.",
                (
                    ("sum by (priority) (`collate_in_flight`)", "in flight: {{priority}}"),
                    ("sum by (priority) (`collate_waiting`)", "waiting: {{priority}}"),
                    ("max(`collate_limit`)", "limit"),
                ),
                page="lag-grows",
            ),
            Panel(
                "Wait for the budget",
                "By priority.",
                quantiles("collate_wait_seconds", "priority", "{{priority}}"),
                "s",
                "lag-grows",
            ),
            Panel(
                "Stretch of observations",
                "Above 1 the call budget is too small, and observations come later than set.",
                (("max(`observation_stretch`)", "factor"),),
                page="a-process-is-overloaded",
            ),
            Panel(
                "Clock ahead of Collate's",
                "By the Date header; negative is behind. Commands and grants end by our clock.",
                (("max by (pod) (`collate_clock_skew_seconds`)", "{{pod}}"),),
                "s",
                "collate-answers-ambiguously",
            ),
            Panel(
                "Writes resent",
                "A crash or a timeout lost their response.",
                total("intents_resent_total", "resent"),
                "ops",
                "collate-answers-ambiguously",
            ),
            Panel(
                "Duration of an invocation",
                "One run of a handler, by kind.",
                quantiles("handler_seconds", "kind", "{{kind}}"),
                "s",
                "invocations-that-fail",
            ),
        ),
    ),
    Row(
        "Read model",
        (
            Panel(
                "Database away, by process",
                "1 while the process cannot use PostgreSQL.",
                (("max by (pod) (`database_away`)", "{{pod}}"),),
                page="the-database-is-away",
            ),
            Panel(
                "Duration of a read",
                "By kind of read.",
                quantiles("read_seconds", "read", "{{read}}"),
                "s",
                "reads-fail",
            ),
        ),
    ),
    Row(
        "Projector",
        (
            Panel(
                "Records behind",
                "The line is the alert.",
                (("max(`projector_behind`)", "behind"),),
                page="the-read-model-is-behind",
                wrong=1_000,
            ),
            Panel(
                "Records written",
                "By topic; unreadable records are skipped.",
                (
                    *rate("projected_total", "topic"),
                    ("sum by (topic) (increase(`projector_unreadable_total`[RATE]))", "unreadable: {{topic}}"),
                ),
                "ops",
                "the-read-model-skips-records",
            ),
            Panel(
                "Duration of a projector's transaction",
                "Including its reads.",
                quantiles("projector_transaction_seconds"),
                "s",
                "the-read-model-is-behind",
            ),
            Panel(
                "Projector's transactions",
                "Records in each; those rolled back because another projector wrote first; rows deleted by retention.",
                (
                    mean("projector_transaction_records", "records a transaction"),
                    ("sum(increase(`projector_outrun_total`[RATE]))", "rolled back"),
                    ("sum by (table) (increase(`projector_swept_total`[RATE]))", "deleted: {{table}}"),
                ),
                page="the-read-model-is-behind",
            ),
        ),
    ),
    Row(
        "Processes",
        (
            Panel(
                "Ready",
                "1 while every component is ok.",
                (("max by (pod) (`ready`)", "{{pod}}"),),
                page="a-process-is-not-ready",
            ),
            Panel(
                "Degraded",
                "1 while ingress answers without this part.",
                (("max by (pod, part) (`degraded`)", "{{pod}}: {{part}}"),),
                page="a-process-is-not-ready",
            ),
            Panel(
                "Event loop",
                "Its delay, 99th percentile.",
                (("histogram_quantile(0.99, sum by (pod, le) (rate(`loop_delay_seconds_bucket`[RATE])))", "{{pod}}"),),
                "s",
                "a-process-is-overloaded",
                wrong=0.25,
            ),
            Panel(
                "Memory",
                "Resident memory.",
                (("process_resident_memory_bytes{SELECTED}", "{{pod}}"),),
                "bytes",
                "a-process-is-overloaded",
            ),
            Panel(
                "Versions",
                "Processes by version.",
                (("count by (version, process) (`build_info`)", "{{process}} {{version}}"),),
                page="two-versions-run",
            ),
            Panel(
                "Life left of certificates and tokens",
                "By the setting that names the file; negative after the end.",
                (("min by (credential) (`credential_expires_timestamp_seconds`) - time()", "{{credential}}"),),
                "s",
                "how-do-i-rotate-a-secret",
            ),
            Panel(
                "Whole life of certificates and tokens",
                "A short one is renewed by another program.",
                (("max by (credential) (`credential_life_seconds`)", "{{credential}}"),),
                "s",
                "how-do-i-rotate-a-secret",
            ),
            Panel(
                "Pages of the console",
                "By status.",
                rate("console_pages_total", "status"),
                "ops",
                "the-console-fails-or-is-slow",
            ),
            Panel(
                "Time of a page",
                "From the request to the end of the response.",
                quantiles("console_page_seconds"),
                "s",
                "the-console-fails-or-is-slow",
                wrong=0.1,
            ),
            Panel(
                "Trace spans", "By result.", rate("spans_total", "result"), "ops", "how-do-i-see-where-one-request-went"
            ),
        ),
    ),
)
