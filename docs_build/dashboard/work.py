"""The first rows of the dashboard: what is wrong, who waits for what, throughput and latency. Pure data."""

from typing import Final

from docs_build.dashboard.panels import Panel, Row, burn, quantiles, rate, stat, total

ROWS: Final[tuple[Row, ...]] = (
    Row(
        "Is anything wrong now?",
        (
            stat(
                "Processes not ready",
                "Their /readyz says why.",
                "count(`ready` == 0) or vector(0)",
                "a-process-is-not-ready",
            ),
            stat("Kafka away", "Processes that no broker answers.", "sum(`kafka_away`) or vector(0)", "kafka-is-away"),
            stat(
                "Database away",
                "Processes that cannot use PostgreSQL.",
                "sum(`database_away`) or vector(0)",
                "the-database-is-away",
            ),
            stat(
                "Breakers open",
                "Breakers of any kind that hold calls to Collate.",
                "count(`collate_breakers` > 0) or vector(0)",
                "collate-is-down",
            ),
            stat(
                "Key refused",
                "Processes whose API key Collate rejects with 401.",
                "sum(`collate_credentials_refused`) or vector(0)",
                "collate-refuses-our-key",
            ),
            stat(
                "Dead letters open",
                "Commands that wait for an operator's decision.",
                "sum(max by (cause) (`dead_letters_open`)) or vector(0)",
                "dead-letters",
            ),
            stat(
                "Partitions stopped",
                "They do nothing until an operator resumes them.",
                "sum(`stopped`) or vector(0)",
                "a-partition-is-stopped",
            ),
            stat(
                "Partitions not running",
                "Partitions of workers that start, move, retry or are stopped.",
                'sum(`partitions|state!="running"`) or vector(0)',
                "partitions-without-a-worker",
            ),
            stat(
                "Oldest unfinished",
                "The age of the oldest command without an outcome. Every fault makes it grow.",
                "max(`oldest_unfinished_seconds`) or vector(0)",
                "lag-grows",
                unit="s",
                wrong=300,
            ),
            stat(
                "Double effects",
                "Writes that may have taken effect twice, within a day.",
                "ceil(sum(increase(`double_effects_total`[1d]))) or vector(0)",
                "a-write-took-effect-twice",
            ),
            stat(
                "Acceptance budget",
                "Use of the month's error budget: 1 is even. Commands that got 5xx.",
                burn("acceptance", 0.001),
                "service-levels",
                wrong=6,
            ),
            stat(
                "Outcome budget",
                "Use of the month's error budget: 1 is even. Commands that took over a minute.",
                burn("outcome", 0.01),
                "service-levels",
                wrong=6,
            ),
            stat(
                "Reaction budget",
                "Use of the month's error budget: 1 is even. Observations over 5 s late.",
                burn("reaction", 0.01),
                "service-levels",
                wrong=6,
            ),
            stat(
                "Unreadable records",
                "Records that the projector skipped, within a day.",
                "ceil(sum(increase(`projector_unreadable_total`[1d]))) or vector(0)",
                "the-read-model-skips-records",
            ),
        ),
    ),
    Row(
        "Who waits for what?",
        (
            Panel(
                "Oldest unfinished command",
                "By partition. The line is the alert.",
                (("max by (partition) (`oldest_unfinished_seconds`)", "partition {{partition}}"),),
                "s",
                "lag-grows",
                wrong=300,
            ),
            Panel(
                "Why key queues wait",
                "Key queues (authorizations) by the reason of their wait.",
                (("sum by (reason) (`lanes_waiting`) > 0", "{{reason}}"),),
                page="lag-grows",
            ),
            Panel(
                "Open dead letters",
                "By cause.",
                (("max by (cause) (`dead_letters_open`)", "{{cause}}"),),
                page="dead-letters",
            ),
            Panel(
                "New dead letters",
                "Commands that became dead letters.",
                (
                    ("sum by (cause) (increase(`dead_letters_total`[RATE]))", "{{cause}}"),
                    ("sum(increase(`casualties_total`[RATE]))", "records"),
                ),
                page="dead-letters",
            ),
            Panel(
                "Waiting commands announced",
                "`command.waiting` events by reason.",
                rate("command_waiting_total", "reason"),
                "ops",
                "one-authorization-is-stuck",
            ),
            Panel(
                "Lag and unfinished records",
                "Records after the watermark; records read and not finished; records finished after the watermark.",
                (
                    ("sum(`lag`)", "lag"),
                    ("sum(`unfinished`)", "unfinished"),
                    ("sum(`gap`)", "finished after the watermark"),
                ),
                page="lag-grows",
            ),
            Panel(
                "Stopped and paused partitions",
                "A paused partition resumes without help.",
                (("sum(`stopped`)", "stopped"), ("sum(`paused`)", "paused")),
                page="a-partition-is-stopped",
            ),
            Panel(
                "Key queues and timers",
                "Key queues with work, and timers that are set.",
                (
                    ("sum(`lanes`)", "key queues"),
                    ("sum(`alarms_pending`)", "timers"),
                    ("sum(`turns_left_behind`)", "abandoned invocations"),
                ),
                page="invocations-that-fail",
            ),
            Panel(
                "Handler failures",
                "Invocations that raised, timed out or returned too much.",
                (("sum by (reason) (increase(`handler_failures_total`[RATE]))", "{{reason}}"),),
                page="invocations-that-fail",
            ),
        ),
    ),
    Row(
        "Throughput and latency",
        (
            Panel("Requests", "By status.", rate("requests_total", "status"), "reqps", "callers-see-503"),
            Panel(
                "Duration of a request",
                "By route, the 99th percentile.",
                (
                    (
                        "histogram_quantile(0.99, sum by (route, le) (rate(`request_seconds_bucket`[RATE])))",
                        "{{route}}",
                    ),
                ),
                "s",
                "callers-see-503",
            ),
            Panel(
                "Acceptance: bad share",
                "The service level: commands that got 5xx. The line is the goal.",
                (("`:acceptance_errors:ratio_rate5m`", "5 min"), ("`:acceptance_errors:ratio_rate1h`", "1 h")),
                "percentunit",
                "service-levels",
                wrong=0.001,
            ),
            Panel("Outcomes", "Finished commands by outcome.", rate("commands_finished_total", "outcome"), "ops"),
            Panel(
                "From acceptance to outcome",
                "By command. The line is the service level: a minute.",
                quantiles("command_finish_seconds", "command", "{{command}}"),
                "s",
                "service-levels",
                wrong=60,
            ),
            Panel(
                "Outcome: bad share",
                "The service level: commands that took over a minute. The line is the goal.",
                (("`:outcome_errors:ratio_rate5m`", "5 min"), ("`:outcome_errors:ratio_rate1h`", "1 h")),
                "percentunit",
                "service-levels",
                wrong=0.01,
            ),
            Panel("Observations", "Reads by the watcher, by result.", rate("observations_total", "result"), "ops"),
            Panel(
                "Delay of observations",
                "From a timer's due time to its invocation. The line is the service level.",
                quantiles("alarm_late_seconds"),
                "s",
                "service-levels",
                wrong=5,
            ),
            Panel(
                "Reaction: bad share",
                "The service level: observations that began over 5 s late. The line is the goal.",
                (("`:reaction_errors:ratio_rate5m`", "5 min"), ("`:reaction_errors:ratio_rate1h`", "1 h")),
                "percentunit",
                "service-levels",
                wrong=0.01,
            ),
            Panel(
                "Repeats and conflicts",
                "Requests that repeat an accepted command, and keys used for another body.",
                (
                    *total("replays_total", "replays"),
                    *total("key_conflicts_total", "conflicts at ingress"),
                    *total("command_key_conflicts_total", "conflicts at the worker"),
                    *total("caller_share_exceeded_total", "share of a caller exceeded"),
                ),
                "ops",
                "a-caller-sends-too-many-commands",
            ),
            Panel("Batches", "Events of batches by result.", rate("batch_events_total", "result"), "ops"),
            Panel(
                "Rejected at once",
                "Requests rejected because of a limit or an outage.",
                rate("shed_total", "reason"),
                "reqps",
                "callers-see-429-or-503-immediately",
            ),
            Panel(
                "Accepted and unfinished",
                "Commands that ingress accepted and whose end it has not seen.",
                (("sum(`unfinished_commands`)", "commands"),),
                page="callers-see-429-or-503-immediately",
            ),
            Panel(
                "Requests with Prefer: wait",
                "By result, and how many wait now.",
                (*rate("waits_total", "result"), ("sum(`waiters`)", "wait now")),
                page="callers-see-429-or-503-immediately",
            ),
            Panel(
                "Requests and connections",
                "Now, with the limit of connections.",
                (
                    ("sum(`requests_in_flight`)", "requests in flight"),
                    ("sum by (port) (`connections`)", "connections of port {{port}}"),
                    ("max by (port) (`connections_limit`)", "limit of port {{port}}"),
                ),
                page="callers-see-429-or-503-immediately",
            ),
            Panel(
                "Event streams",
                "Open streams, and streams that the gateway closed.",
                (
                    ("sum(`streams`)", "open"),
                    ("sum by (reason) (increase(`streams_dropped_total`[RATE]))", "closed: {{reason}}"),
                ),
                page="callers-see-429-or-503-immediately",
            ),
            Panel(
                "Callers file",
                "Reads after a change, by result.",
                (("sum by (result) (increase(`callers_reloads_total`[RATE]))", "{{result}}"),),
                page="the-callers-file-is-refused",
            ),
        ),
    ),
)
