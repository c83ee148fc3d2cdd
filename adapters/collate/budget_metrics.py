"""Metrics of the budget, and a log line for each change of a breaker."""

from functools import partial

from adapters.collate.breaker import Breaker, BreakerState
from adapters.collate.budget import Budget, Priority
from runtime.logs import get_log
from runtime.metrics import CollateMetrics

_ADVICE = {
    "credentials": "put the environment's current API key into the key file; calls then resume by themselves",
    "forbidden": "our key has no access to several authorizations; ask Collate for access, then calls resume",
    "faults": "Collate fails or does not respond; probes continue and calls resume by themselves",
    "rate_limited": "Collate refuses calls because of load; calls slow down; see the setting calls_per_second",
}


class BudgetMetrics:
    """The gauges of one budget, and the log of its breakers."""

    def __init__(self, budget: Budget, metrics: CollateMetrics) -> None:
        self._budget = budget
        self._metrics = metrics
        self._waiting = {p: metrics.budget_waiting.labels(p.name.lower()) for p in Priority}
        self._waited = {p: metrics.budget_wait_seconds.labels(p.name.lower()) for p in Priority}
        self._breakers: tuple[tuple[str, str, Breaker], ...] = (
            ("credentials", "all", budget.key),
            ("forbidden", "reads", budget.forbidden[False]),
            ("forbidden", "writes", budget.forbidden[True]),
            ("faults", "reads", budget.faults[False]),
            ("faults", "writes", budget.faults[True]),
            ("rate_limited", "all", budget.limited),
        )
        for priority in Priority:
            in_flight = metrics.budget_in_flight.labels(priority.name.lower())
            in_flight.set_function(partial(budget.in_flight.__getitem__, priority))
        metrics.budget_limit.set_function(lambda: budget.concurrency.limit)
        metrics.breaker_open.set_function(lambda: max(breaker.state for breaker in budget.faults))
        metrics.credentials_refused.set_function(lambda: budget.key.state is not BreakerState.CLOSED)
        for reason, calls, breaker in self._breakers:
            metrics.breakers.labels(reason, calls).set_function(partial(_state_of, breaker))
        self._watched = tuple(breaker for _, _, breaker in self._breakers)
        self._states = [BreakerState.CLOSED] * len(self._breakers)
        self._log = get_log()

    def waited(self, priority: Priority, seconds: float) -> None:
        """Record how long a call waited for the budget."""
        self._waited[priority].observe(seconds)

    def waiting(self, priority: Priority, count: int) -> None:
        """Record how many calls wait."""
        self._waiting[priority].set(count)

    def show(self) -> None:
        """Log the breakers that changed. The gauges need no update: they read the budget."""
        states = [breaker.state for breaker in self._watched]
        if states != self._states:
            before, self._states = self._states, states
            self._log_changes(before)

    def _log_changes(self, before: list[BreakerState]) -> None:
        for (reason, calls, breaker), was in zip(self._breakers, before, strict=True):
            if breaker.state is was:
                continue
            state = breaker.state.name.lower()
            self._metrics.breaker_changes.labels(state).inc()
            if breaker.state is BreakerState.OPEN:
                self._log.warning(
                    "collate.breaker_changed", state=state, reason=reason, calls=calls, advice=_ADVICE[reason]
                )
            else:
                self._log.info("collate.breaker_changed", state=state, reason=reason, calls=calls)


def _state_of(breaker: Breaker) -> float:
    return float(breaker.state)
