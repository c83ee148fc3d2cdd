"""The row of panels about the deliverer and its subscriptions. Pure data; see `panels`."""

from typing import Final

from docs_build.dashboard.panels import Panel, Row, quantiles, rate

_PAGE: Final = "webhooks-are-not-delivered"

ROW: Final = Row(
    "Webhooks",
    (
        Panel(
            "Oldest undelivered event",
            "By subscription. The line is the alert.",
            (("max by (subscription) (`deliverer_oldest_unfinished_seconds`)", "{{subscription}}"),),
            "s",
            _PAGE,
            wrong=300,
        ),
        Panel(
            "Events delivered",
            "By subscription; dead letters of the last minutes.",
            (
                *rate("deliverer_delivered_total", "subscription"),
                ("sum by (subscription) (increase(`deliverer_dead_letters_total`[RATE]))", "dead: {{subscription}}"),
            ),
            "ops",
            _PAGE,
        ),
        Panel(
            "Requests to receivers",
            "By subscription and result.",
            (
                (
                    "sum by (subscription, result) (rate(`deliverer_requests_total`[RATE]))",
                    "{{subscription}} {{result}}",
                ),
            ),
            "ops",
            _PAGE,
        ),
        Panel(
            "Receivers down or stopped",
            "1 while a receiver accepts nothing, or has answered 410.",
            (
                ("max by (subscription) (`deliverer_down`)", "down: {{subscription}}"),
                ("max by (subscription) (`deliverer_stopped`)", "stopped: {{subscription}}"),
            ),
            page=_PAGE,
            wrong=1,
        ),
        Panel(
            "Time of a request to a receiver",
            "By subscription.",
            quantiles("deliverer_request_seconds", "subscription", "{{subscription}}"),
            "s",
            _PAGE,
        ),
        Panel(
            "Age of a delivered event",
            "From its record in Kafka to the receiver's answer.",
            quantiles("deliverer_delivery_age_seconds", "subscription", "{{subscription}}"),
            "s",
            _PAGE,
        ),
        Panel(
            "Authorizations whose next event waits",
            "By subscription and reason.",
            (
                (
                    "sum by (subscription, reason) (`deliverer_waiting`)",
                    "{{subscription}} {{reason}}",
                ),
            ),
            page=_PAGE,
        ),
        Panel(
            "Undelivered events",
            "Events that were read, and all records that are not finished, by subscription.",
            (
                ("sum by (subscription) (`deliverer_unfinished`)", "read: {{subscription}}"),
                ("sum by (subscription) (`deliverer_lag`)", "lag: {{subscription}}"),
            ),
            page=_PAGE,
        ),
        Panel(
            "Partitions that do not run",
            "By subscription: they start, fail, or need an operator.",
            (("sum by (subscription) (`deliverer_partitions_not_running`)", "{{subscription}}"),),
            page=_PAGE,
            wrong=1,
        ),
        Panel(
            "Changes of the subscriptions file",
            "By result, within the window.",
            (("sum by (result) (increase(`deliverer_subscriptions_reloads_total`[RATE]))", "{{result}}"),),
            page="the-subscriptions-file-is-refused",
        ),
    ),
)
