"""The shell of the call policy in one event loop: its clock, its timer, the tasks that wait, its metrics and log."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from adapters.collate.answers import Deferred
from adapters.collate.call_policy.breaker import Breaker, BreakerState
from adapters.collate.call_policy.budget import Budget, Ticket, WaitingCall
from adapters.collate.call_policy.calls import Call, CallSignal, Hold, Priority
from runtime.logs import get_log
from runtime.metrics import CollateMetrics
from schemas.events.wait_reasons import HoldReason

# The reason in metrics and log, and what to do.
_SHOWN: Final = {
    HoldReason.CREDENTIALS: (
        "credentials",
        "put the environment's current API key into the key file; calls then resume by themselves",
    ),
    HoldReason.FORBIDDEN: (
        "forbidden",
        "our key has no access to several authorizations; ask Collate for access, then calls resume",
    ),
    HoldReason.BREAKER: (
        "faults",
        "Collate fails or does not respond; probes continue and calls resume by themselves",
    ),
    HoldReason.RATE_LIMITED: (
        "rate_limited",
        "Collate refuses calls because of load; calls slow down; see the setting calls_per_second",
    ),
}


class CallQueue:
    """The budget in one event loop: `take` waits for a turn, each end of a call serves the waiting calls."""

    def __init__(
        self, budget: Budget, metrics: CollateMetrics, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.budget = budget
        self._monotonic = monotonic
        self._answers: dict[WaitingCall, asyncio.Future[Ticket | Hold]] = {}
        self._wake: asyncio.TimerHandle | None = None
        self._waited = {priority: metrics.budget_wait_seconds.labels(priority.name.lower()) for priority in Priority}
        self._changes = metrics.breaker_changes
        self._states = [BreakerState.CLOSED] * len(budget.breakers.all)
        self._log = get_log()
        _show(budget, metrics, monotonic)

    async def take(self, call: Call) -> Ticket | Deferred:
        """Return a ticket, which must end with `done` or `abandon`, or when the call may be retried."""
        now = began = self._monotonic()
        answer = self.budget.ask(now, call)
        if isinstance(answer, WaitingCall):
            answer = await self._wait(answer)
            now = self._monotonic()
            self._waited[call.priority].observe(now - began)
        elif isinstance(answer, Ticket):
            self._waited[call.priority].observe(0.0)
        return answer if isinstance(answer, Ticket) else Deferred(max(0.0, answer.until - now), answer.reason)

    def done(self, ticket: Ticket, signal: CallSignal, seconds: float, retry_after: float | None = None) -> None:
        """End a ticket with what its call showed about Collate."""
        self.budget.release(self._monotonic(), ticket, signal, seconds, retry_after)
        self._serve()

    def abandon(self, ticket: Ticket) -> None:
        """End the ticket of a call without a result."""
        self.budget.abandon(ticket)
        self._serve()

    def suspends(self, call: Call) -> bool:
        """Return whether the 401 or 403 of this call may be caused by our API key."""
        return self.budget.breakers.suspends(self._monotonic(), call)

    def key_changed(self) -> None:
        """Try the new key immediately."""
        self.budget.breakers.key_changed(self._monotonic())

    def close(self) -> None:
        """Defer all waiting calls."""
        for waiting, answer in self._answers.items():
            self.budget.leave(waiting)
            if not answer.done():
                answer.set_result(Hold(0.0, HoldReason.BUDGET))
        self._serve()

    async def _wait(self, waiting: WaitingCall) -> Ticket | Hold:
        answer: asyncio.Future[Ticket | Hold] = asyncio.get_running_loop().create_future()
        self._answers[waiting] = answer
        self._serve()
        try:
            return await answer
        except asyncio.CancelledError:
            self.budget.leave(waiting)
            if not answer.cancelled() and isinstance(ticket := answer.result(), Ticket):
                self.abandon(ticket)
            raise
        finally:
            del self._answers[waiting]

    def _serve(self) -> None:
        if self._answers:
            self._serve_waiting()
        self._log_changes()

    def _serve_waiting(self) -> None:
        now = self._monotonic()
        for waiting, given in self.budget.serve(now):
            answer = self._answers[waiting]
            if not answer.done():
                answer.set_result(given)
            elif isinstance(given, Ticket):  # the waiting task was cancelled and has not run yet
                self.budget.abandon(given)
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self.budget.wake_at < float("inf"):
            wait = max(0.0, self.budget.wake_at - now)
            self._wake = asyncio.get_running_loop().call_later(wait, self._serve)

    def _log_changes(self) -> None:
        for number, breaker in enumerate(self.budget.breakers.all):
            if breaker.state is self._states[number]:
                continue
            self._states[number] = breaker.state
            state, (reason, advice) = breaker.state.name.lower(), _SHOWN[breaker.reason]
            self._changes.labels(state).inc()
            if breaker.state is BreakerState.OPEN:
                self._log.warning(
                    "collate.breaker_changed", state=state, reason=reason, calls=breaker.calls, advice=advice
                )
            else:
                self._log.info("collate.breaker_changed", state=state, reason=reason, calls=breaker.calls)


def _show(budget: Budget, metrics: CollateMetrics, monotonic: Callable[[], float]) -> None:
    """Let the gauges read the budget."""
    for priority in Priority:
        name = priority.name.lower()
        metrics.budget_in_flight.labels(name).set_function(partial(budget.in_flight.__getitem__, priority))
        metrics.budget_waiting.labels(name).set_function(partial(budget.waiting, priority))
    metrics.budget_limit.set_function(lambda: budget.throttle.limit(monotonic()))
    metrics.breaker_open.set_function(lambda: max(breaker.state for breaker in budget.breakers.faults))
    metrics.credentials_refused.set_function(lambda: budget.breakers.key.state is not BreakerState.CLOSED)
    for breaker in budget.breakers.all:
        metrics.breakers.labels(_SHOWN[breaker.reason][0], breaker.calls).set_function(partial(_state_of, breaker))


def _state_of(breaker: Breaker) -> float:
    return float(breaker.state)
