"""The queue in front of the call budget: a call gets a ticket now, waits for a short time, or is deferred.

A long wait is returned as `Deferred`, so that it costs the caller a timer and not a waiting task. The number of waiting
calls is bounded. Live calls are served first, then commands, then observations. The callers of live calls take turns,
so that one caller's calls do not delay those of the others. `budget` makes all decisions.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.collate.answers import Deferred, HoldReason
from adapters.collate.budget import Budget, Call, CallSignal, Hold, Priority, Ticket
from adapters.collate.budget_metrics import BudgetMetrics
from runtime.metrics import CollateMetrics

# A deferred command is read and decided again, which costs more than waiting; at full load only that work would be
# done. The engine bounds the number of waiting commands. Shorter than the wait that emits an event.
COMMAND_WAIT_SECONDS: Final = 5.0
# A deferred observation only sets its timer again. Its second call waits like a command: a deferred one would waste the
# first.
OBSERVATION_WAIT_SECONDS: Final = 0.05


@dataclass(eq=False, slots=True)
class _Waiter:
    call: Call
    result: asyncio.Future[Ticket | Deferred]
    timer: asyncio.TimerHandle | None = None


class CallQueue:
    """The waiting calls of one budget, in one event loop."""

    def __init__(
        self,
        budget: Budget,
        *,
        live_wait_seconds: float,
        most_waiting: int,
        metrics: CollateMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget = budget
        self._longest_wait = {
            Priority.LIVE: live_wait_seconds,
            Priority.COMMAND: COMMAND_WAIT_SECONDS,
            Priority.OBSERVATION: OBSERVATION_WAIT_SECONDS,
        }
        self._most_waiting = most_waiting
        self._monotonic = monotonic
        self._waiting: dict[Priority, deque[_Waiter]] = {priority: deque() for priority in Priority}
        self._wake: asyncio.TimerHandle | None = None
        self._metrics = BudgetMetrics(budget, metrics)

    async def take(self, call: Call) -> Ticket | Deferred:
        """Return a ticket, which must end with `done` or `abandon`, or when the call may be retried."""
        now = self._monotonic()
        ahead = self._has_waiters_ahead(call)
        if not ahead:
            outcome = self.budget.acquire(now, call)
            if isinstance(outcome, Ticket):
                self._metrics.waited(call.priority, 0.0)
                return outcome
            if not self._worth_waiting(outcome, now, call):
                return self._defer(outcome, now)
        if sum(map(len, self._waiting.values())) >= self._most_waiting:
            return self._defer(Hold(now, HoldReason.BUDGET), now)
        return await self._wait(now, call)

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
        return self.budget.suspends(self._monotonic(), call)

    def key_changed(self) -> None:
        """Try the new key immediately."""
        self.budget.key_changed(self._monotonic())

    def close(self) -> None:
        """Defer all waiting calls."""
        for queue in self._waiting.values():
            while queue:
                self._resolve(queue.popleft(), Deferred(0.0, HoldReason.BUDGET))
        if self._wake is not None:
            self._wake.cancel()

    async def _wait(self, began: float, call: Call) -> Ticket | Deferred:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(call, loop.create_future())
        waiter.timer = loop.call_later(self._longest(call), self._on_wait_over, waiter)
        waiting = self._waiting[call.priority]
        waiting.insert(self._continuing(call.priority) if call.continues else len(waiting), waiter)
        self._metrics.waiting(call.priority, len(self._waiting[call.priority]))
        self._serve()
        try:
            outcome = await waiter.result
        except asyncio.CancelledError:
            self._leave(waiter)
            if waiter.result.done() and not waiter.result.cancelled():
                outcome = waiter.result.result()
                if isinstance(outcome, Ticket):
                    self.abandon(outcome)
            raise
        self._metrics.waited(call.priority, self._monotonic() - began)
        return outcome

    def _serve(self) -> None:
        """Give tickets to waiting calls, the most urgent first, until the budget has none."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        now = self._monotonic()
        while waiter := self._next():
            outcome = self.budget.acquire(now, waiter.call)
            if isinstance(outcome, Hold) and self._worth_waiting(outcome, now, waiter.call):
                if not outcome.for_slot:
                    self._wake = asyncio.get_running_loop().call_later(outcome.until - now, self._serve)
                break
            self._leave(waiter)
            self._resolve(waiter, outcome if isinstance(outcome, Ticket) else self._defer(outcome, now))
        self._metrics.show()

    def _next(self) -> _Waiter | None:
        if not any(self._waiting.values()):
            return None
        waiting = next(self._waiting[priority] for priority in self.budget.order if self._waiting[priority])
        if len(waiting) == 1 or not waiting[0].call.caller:
            return waiting[0]
        return min(waiting, key=lambda waiter: self.budget.turns.rank(waiter.call.caller))

    def _has_waiters_ahead(self, call: Call) -> bool:
        if not any(self._waiting.values()):
            return False
        order = self.budget.order
        if any(self._waiting[other] for other in order[: order.index(call.priority)]):
            return True
        return bool(self._continuing(call.priority) if call.continues else self._waiting[call.priority])

    def _continuing(self, priority: Priority) -> int:
        """Count the waiting second calls of observations; they wait before the first calls."""
        return sum(waiter.call.continues for waiter in self._waiting[priority])

    def _longest(self, call: Call) -> float:
        return COMMAND_WAIT_SECONDS if call.continues else self._longest_wait[call.priority]

    def _on_wait_over(self, waiter: _Waiter) -> None:
        self._leave(waiter)
        now = self._monotonic()
        outcome = self.budget.acquire(now, waiter.call)
        self._resolve(waiter, outcome if isinstance(outcome, Ticket) else self._defer(outcome, now))

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
        priority = waiter.call.priority
        if waiter in self._waiting[priority]:
            self._waiting[priority].remove(waiter)
            self._metrics.waiting(priority, len(self._waiting[priority]))

    def _resolve(self, waiter: _Waiter, outcome: Ticket | Deferred) -> None:
        if not waiter.result.done():
            waiter.result.set_result(outcome)
        elif isinstance(outcome, Ticket):
            self.budget.abandon(outcome)

    def _worth_waiting(self, hold: Hold, now: float, call: Call) -> bool:
        # Each call ahead takes about as long as the first.
        wait = (hold.until - now) * (1 + self._ahead(call))
        return hold.reason is HoldReason.BUDGET and wait <= self._longest(call)

    def _ahead(self, call: Call) -> int:
        """Count the calls that are served before another call of this caller."""
        waiting = self._waiting[call.priority]
        if call.continues:
            return self._continuing(call.priority)
        if not waiting or not call.caller:
            return len(waiting)
        others = Counter(waiter.call.caller for waiter in waiting)
        own = others.pop(call.caller, 0)
        return own + sum(min(count, own + 1) for count in others.values())

    def _defer(self, hold: Hold, now: float) -> Deferred:
        until = self.budget.deferred_until(now, hold)
        return Deferred(max(0.0, until - now), hold.reason)
