"""Metrics of calls to Collate."""

from runtime.metrics.group import MetricGroup, counter, gauge, histogram


class CollateMetrics(MetricGroup):
    """Metrics of calls to Collate."""

    attempts = counter(
        "collate_attempts",
        "Calls to Collate, by operation and result (answered, refused, ambiguous, not_sent).",
        ("operation", "result"),
    )
    attempt_seconds = histogram("collate_attempt_seconds", "Time of one call to Collate.", ("operation",))
    budget_in_flight = gauge("collate_in_flight", "Calls to Collate in flight.", ("priority",))
    budget_waiting = gauge("collate_waiting", "Calls to Collate that wait for the call budget.", ("priority",))
    budget_limit = gauge("collate_limit", "Current limit of calls in flight.")
    budget_wait_seconds = histogram(
        "collate_wait_seconds", "Time that calls waited for the call budget.", ("priority",)
    )
    breaker_open = gauge(
        "collate_breaker",
        "State of the breaker for faults: 0 closed, 1 probing, 2 open; `collate_breakers` has all breakers.",
    )
    breakers = gauge(
        "collate_breakers",
        "State of each breaker: 0 closed, 1 probing, 2 open; by reason (credentials, forbidden, faults, "
        "rate_limited) and the calls that it holds (all, reads, writes).",
        ("reason", "calls"),
    )
    breaker_changes = counter("collate_breaker_changes", "State changes of the breaker.", ("state",))
    credentials_refused = gauge("collate_credentials_refused", "1 while Collate rejects the API key with 401, else 0.")
    clock_skew_seconds = gauge(
        "collate_clock_skew_seconds",
        "Seconds that our clock is ahead of Collate's Date header, at least; negative if it is behind.",
    )
