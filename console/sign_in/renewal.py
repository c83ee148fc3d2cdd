"""Renews the token of a session shortly before it expires. Bounded; concurrent requests share one call of the issuer.

Many issuers accept a refresh token only once. So requests that still have the old cookies get the first one's result,
and a page never cancels a call of a slow issuer: the page is shown, and a later page gets the result.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from adapters.oidc.code_flow import CodeFlow, FlowFailed, FlowFault, TokenSet
from console.sign_in.sessions import PersonSession, end_of_token

REMEMBERED_SECONDS: Final = 300.0
PAGE_WAITS_SECONDS: Final = 4.0
MOST_REMEMBERED: Final = 2_000


class Renewals:
    """Renews sessions at the issuer."""

    def __init__(self, flow: CodeFlow, clock: Callable[[], float] = time.monotonic) -> None:
        self._flow = flow
        self._clock = clock
        self._results: OrderedDict[bytes, tuple[asyncio.Task[TokenSet | FlowFailed], float]] = OrderedDict()

    async def renew(self, session: PersonSession, now: datetime) -> PersonSession | FlowFailed | None:
        """Return the session with a new token; None if the issuer has ended it.

        While the issuer does not answer, the session stays as it is until its token ends, then FlowFailed is returned.
        """
        if session.renewal is None:
            return session
        task = self._result_of(session.renewal.get_secret_value())
        await asyncio.wait({task}, timeout=PAGE_WAITS_SECONDS)
        result = task.result() if task.done() else FlowFailed(FlowFault.issuer_away)
        match result:
            case TokenSet():
                return session.renewed(result.access_token, result.refresh_token, end_of_token(now, result.seconds))
            case FlowFailed(fault=FlowFault.issuer_away):
                return session if session.token_ends_at is None or now < session.token_ends_at else result
            case FlowFailed():
                return None

    def _result_of(self, refresh_token: str) -> "asyncio.Task[TokenSet | FlowFailed]":
        digest, seconds = hashlib.sha256(refresh_token.encode("utf-8", "surrogateescape")).digest(), self._clock()
        while self._results and next(iter(self._results.values()))[1] <= seconds:
            self._results.popitem(last=False)
        known = self._results.get(digest)
        if known is not None and not _is_worth_another_try(known[0]):
            return known[0]
        task = asyncio.create_task(self._flow.refresh(refresh_token))
        self._results[digest] = task, seconds + REMEMBERED_SECONDS
        self._results.move_to_end(digest)
        if len(self._results) > MOST_REMEMBERED:
            self._results.popitem(last=False)
        return task


def _is_worth_another_try(task: "asyncio.Task[TokenSet | FlowFailed]") -> bool:
    if not task.done():
        return False
    if task.cancelled() or task.exception() is not None:
        return True
    result = task.result()
    return isinstance(result, FlowFailed) and result.fault is FlowFault.issuer_away
