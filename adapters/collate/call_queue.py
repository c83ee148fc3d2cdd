"""The call budget as tasks see it: a ticket now, a short wait for one, or a `Deferred` to come back later.

A wait that will be long is handed back, so that it costs a timer somewhere and not a task here. Those who wait are
bounded, and are served live first, then commands, then observations. Decides nothing itself: `budget` does.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.collate.answers import Deferred, HoldReason
from adapters.collate.budget import Budget, Call, CallSignal, Hold, Priority, Ticket
from adapters.collate.budget_metrics import BudgetMetrics
from runtime.metrics import CollateMetrics

# A command that is sent away has to be read and decided anew, which costs more than a turn of waiting: at full load
# that work would be all that is done. The engine bounds how many wait. Less than what makes a wait worth an event.
COMMAND_PATIENCE_SECONDS: Final = 5.0
# An observation that is sent away is an alarm set anew.
OBSERVATION_PATIENCE_SECONDS: Final = 0.05


@dataclass(eq=False, slots=True)
class _Waiter:
    call: Call
    turn: asyncio.Future[Ticket | Deferred]
    timer: asyncio.TimerHandle | None = None


class CallQueue:
    """See the module. One event loop."""

    def __init__(
        self,
        budget: Budget,
        *,
        live_patience_seconds: float,
        most_waiting: int,
        metrics: CollateMetrics,
        monotonic: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self.budget = budget
        self._patience = {
            Priority.LIVE: live_patience_seconds,
            Priority.COMMAND: COMMAND_PATIENCE_SECONDS,
            Priority.OBSERVATION: OBSERVATION_PATIENCE_SECONDS,
        }
        self._most_waiting = most_waiting
        self._monotonic = monotonic
        self._unix = unix
        self._waiting: dict[Priority, deque[_Waiter]] = {priority: deque() for priority in Priority}
        self._wake: asyncio.TimerHandle | None = None
        self._signs = BudgetMetrics(budget, metrics)

    async def take(self, call: Call) -> Ticket | Deferred:
        """Return a ticket, which must end with `done` or `abandon`, or when to ask again."""
        now = self._monotonic()
        ahead = self._ahead(call.priority)
        if not ahead:
            answer = self.budget.ask(now, call)
            if isinstance(answer, Ticket):
                self._signs.waited(call.priority, 0.0)
                return answer
            if not self._worth_waiting(answer, now, call.priority):
                return self._sent_away(answer, now)
        if sum(map(len, self._waiting.values())) >= self._most_waiting:
            return self._sent_away(Hold(now, HoldReason.BUDGET), now)
        return await self._wait(now, call)

    def done(self, ticket: Ticket, what: CallSignal, seconds: float, retry_after: float | None = None) -> None:
        """Give a ticket back with what the call's end says about Collate."""
        self.budget.heard(self._monotonic(), ticket, what, seconds, retry_after)
        self._serve()

    def abandon(self, ticket: Ticket) -> None:
        """Give a ticket back of which nothing became known."""
        self.budget.abandon(ticket)
        self._serve()

    def suspends(self, call: Call) -> bool:
        """Say whether a 401 or 403 just heard by this call is, or may be, our credentials' fault."""
        return self.budget.suspends(self._monotonic(), call)

    def key_changed(self) -> None:
        """Try the new key at once."""
        self.budget.key_changed(self._monotonic())

    def close(self) -> None:
        """Send everybody who waits away."""
        for queue in self._waiting.values():
            while queue:
                self._settle(queue.popleft(), Deferred(self._unix(), HoldReason.BUDGET))
        if self._wake is not None:
            self._wake.cancel()

    async def _wait(self, began: float, call: Call) -> Ticket | Deferred:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(call, loop.create_future())
        waiter.timer = loop.call_later(self._patience[call.priority], self._give_up, waiter)
        self._waiting[call.priority].append(waiter)
        self._signs.waiting(call.priority, len(self._waiting[call.priority]))
        self._serve()
        try:
            answer = await waiter.turn
        except asyncio.CancelledError:
            self._leave(waiter)
            if waiter.turn.done() and not waiter.turn.cancelled():
                answer = waiter.turn.result()
                if isinstance(answer, Ticket):
                    self.abandon(answer)
            raise
        self._signs.waited(call.priority, self._monotonic() - began)
        return answer

    def _serve(self) -> None:
        """Give turns to those who wait, best first, until the budget says no."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        now = self._monotonic()
        while waiter := self._next():
            answer = self.budget.ask(now, waiter.call)
            if isinstance(answer, Hold) and self._worth_waiting(answer, now, waiter.call.priority):
                if not answer.for_slot:
                    self._wake = asyncio.get_running_loop().call_later(answer.until - now, self._serve)
                break
            self._leave(waiter)
            self._settle(waiter, answer if isinstance(answer, Ticket) else self._sent_away(answer, now))
        self._signs.show()

    def _next(self) -> _Waiter | None:
        if not any(self._waiting.values()):
            return None
        return next((self._waiting[priority][0] for priority in self.budget.order if self._waiting[priority]), None)

    def _ahead(self, priority: Priority) -> bool:
        if not any(self._waiting.values()):
            return False
        order = self.budget.order
        return any(self._waiting[other] for other in order[: order.index(priority) + 1])

    def _give_up(self, waiter: _Waiter) -> None:
        self._leave(waiter)
        now = self._monotonic()
        answer = self.budget.ask(now, waiter.call)
        self._settle(waiter, answer if isinstance(answer, Ticket) else self._sent_away(answer, now))

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
        priority = waiter.call.priority
        if waiter in self._waiting[priority]:
            self._waiting[priority].remove(waiter)
            self._signs.waiting(priority, len(self._waiting[priority]))

    def _settle(self, waiter: _Waiter, answer: Ticket | Deferred) -> None:
        if not waiter.turn.done():
            waiter.turn.set_result(answer)
        elif isinstance(answer, Ticket):
            self.budget.abandon(answer)

    def _worth_waiting(self, hold: Hold, now: float, priority: Priority) -> bool:
        # Each of those ahead takes about as long as the first.
        wait = (hold.until - now) * (1 + len(self._waiting[priority]))
        return hold.reason is HoldReason.BUDGET and wait <= self._patience[priority]

    def _sent_away(self, hold: Hold, now: float) -> Deferred:
        until = self.budget.come_back(now, hold)
        return Deferred(self._unix() + max(0.0, until - now), hold.reason)
