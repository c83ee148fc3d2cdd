"""The path of a request: ledger, faults before the effect, the API, faults after the effect, the reply.

request ─▶ [hold, delay, act] ─▶ (fault before: no effect)
                              └▶ api ─▶ [hold, delay, rewrite] ─▶ (fault after the effect) or the reply
"""

import json
import time
from collections.abc import Callable
from functools import partial

from local.collate.calls.api import Api
from local.collate.clock import Clock
from local.collate.faults.injection import injected
from local.collate.faults.rules import Act, Answer, Cut, End, FaultRules, Rewrite, Rule, When
from local.collate.ledger import Call, Ledger
from local.collate.model import actors
from local.collate.web.connection import Exchange
from local.collate.web.message import Reply, Request, json_reply
from local.collate.web.wire import merged


class FaultGate:
    """Applies the faults to each public request before and after the API."""

    def __init__(self, api: Api, clock: Clock, ledger: Ledger, faults: FaultRules, latency_seconds: float) -> None:
        self.api = api
        self.clock = clock
        self.ledger = ledger
        self.faults = faults
        self.latency_seconds = latency_seconds

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Handle a request."""
        now, headers = self.clock.now(), request.headers
        call = self.ledger.open(
            request.method,
            request.path,
            now,
            request.body,
            organization=self.api.organization_of(request),
            key=headers.get("idempotency-key"),
            if_match=headers.get("if-match"),
        )
        rules = self.faults.matching(request.method, request.path, now)
        call.faults = tuple(rule.id for rule in rules)
        if call.key is not None:
            self.api.writes.keys.begin(_scope(call), call.number)
        exchange.on_end = partial(self._ended, call, time.perf_counter())
        _after_waits(rules, "before", 0.0, exchange, partial(self._apply, request, call, rules, exchange))

    def _apply(self, request: Request, call: Call, rules: tuple[Rule, ...], exchange: Exchange) -> None:
        now = self.clock.now()
        self.api.state.catch_up(now)
        for rule in rules:
            if isinstance(rule.fault, Act):
                actors.act(self.api.state, _authorization_of(request), rule.fault.action, now)
        end = _end(rules, "before")
        if end is None:
            reply = _rewritten(self.api.answer(request, call, now), rules)
            end = _end(rules, "after")
            if isinstance(end, Answer):
                reply = injected(end, call)
        elif isinstance(end, Answer):
            reply = injected(end, call)
            if end.shape == "typed" and end.status >= 500:
                self.api.keep_injected(request, call, reply, now)
        else:
            reply = Reply(200, b"")
        _after_waits(rules, "after", self.latency_seconds, exchange, partial(self._finish, end, reply, call, exchange))

    def _finish(self, end: End | None, reply: Reply, call: Call, exchange: Exchange) -> None:
        # The request is in flight until here, also after its client has disconnected.
        self.api.writes.keys.end(_scope(call), call.number)
        if isinstance(end, Cut):
            call.status = reply.status if end.kind in {"truncate", "trickle", "drop"} else None
            exchange.cut(end, reply)
        else:
            call.status = reply.status
            exchange.reply(reply)

    def _ended(self, call: Call, since: float, how: str) -> None:
        call.ended = how
        call.seconds = time.perf_counter() - since


def _scope(call: Call) -> tuple[str, str, str]:
    return call.organization or "", call.path, call.key or ""


def _after_waits(
    rules: tuple[Rule, ...], when: When, seconds: float, exchange: Exchange, then: Callable[[], None]
) -> None:
    """Call `then` after `seconds`, the delays of these rules and their holds."""
    if any(rule.holds(when, partial(_after_waits, rules, when, seconds, exchange, then)) for rule in rules):
        return
    if seconds := seconds + sum(rule.waits(when) for rule in rules):
        exchange.later(seconds, then)
    else:
        then()


def _end(rules: tuple[Rule, ...], when: When) -> End | None:
    return next((end for rule in rules if (end := rule.ends(when)) is not None), None)


def _authorization_of(request: Request) -> str:
    parts = request.path.split("/")
    return parts[3] if len(parts) > 3 else ""


def _rewritten(reply: Reply, rules: tuple[Rule, ...]) -> Reply:
    for rule in rules:
        if isinstance(rule.fault, Rewrite) and reply.content_type == "application/json":
            overlaid = merged(json.loads(reply.body), dict(rule.fault.overlay))
            reply = Reply(reply.status, json_reply(200, overlaid).body, headers=reply.headers)
    return reply
