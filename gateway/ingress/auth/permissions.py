"""The rates, shares and permissions of callers, checked in this order before a byte of the body is read.

Invariant: one caller has at most half of the requests in flight, so slow bodies and slow calls cannot take all places.
"""

import time
from functools import partial

from starlette.requests import Request

from gateway.ingress.auth.callers import Caller, Permission
from gateway.ingress.auth.rate_limit import RateLimits
from gateway.ingress.auth.signed_commands import is_signed
from gateway.ingress.http.context import RequestContext, context_of
from gateway.ingress.http.problems import (
    CredentialsUnchecked,
    NotPermitted,
    SignatureNotAccepted,
    TooManyRequests,
    Unauthenticated,
)
from runtime.metrics import IngressMetrics

_SIGNATURE_ELSEWHERE = (
    "A signature does not cover the method, the path and the query of this request, so a captured one could be sent to "
    "another place. Send an API key or a token, or send the command as a structured CloudEvent to POST /v1/commands."
)


class AccessControl:
    """Admits authenticated callers within their permissions and rates."""

    def __init__(self, metrics: IngressMetrics, *, rate: float, burst: float, max_in_flight: int) -> None:
        """`max_in_flight`: the bound of all requests in flight."""
        self._metrics = metrics
        self._rate = rate
        self._burst = burst
        self._rate_limits = RateLimits()
        self._share = (max_in_flight + 1) // 2
        self._in_flight: dict[str, int] = {}

    def admit(self, request: Request, permission: Permission | None = None) -> Caller:
        """Return the caller.

        Raises Unauthenticated, SignatureNotAccepted, CredentialsUnchecked, TooManyRequests and NotPermitted.
        """
        caller: Caller | None = request.user
        context = context_of(request.scope)
        if caller is None and context.unchecked is not None:
            raise CredentialsUnchecked(
                "The keys of the token's issuer cannot be read now. Keep the token, and send the request again.",
                retry_after_seconds=context.unchecked.retry_after_seconds,
                members={"kept": "no"} if request.method == "POST" else None,
            )
        if caller is None:
            raise SignatureNotAccepted(_SIGNATURE_ELSEWHERE) if is_signed(context) else Unauthenticated
        context.caller = caller.name
        rate, burst = self.limits(caller)
        wait = self._rate_limits.take(caller.name, rate, burst, time.monotonic())
        if wait:
            self._metrics.shed.labels("rate").inc()
            raise TooManyRequests(
                "Send fewer requests per second. Wait for the time in Retry-After.", retry_after_seconds=wait
            )
        if permission is not None:
            self.require(caller, permission)
        self._enter(caller.name, context)
        return caller

    def take_more(self, caller: Caller, count: int) -> tuple[int, float]:
        """Take up to `count` further requests of the caller's rate, for the events of a batch.

        Return how many there were, and the seconds until the others can be sent (until a full burst at most).
        """
        rate, burst = self.limits(caller)
        taken, wait = self._rate_limits.take_some(caller.name, rate, burst, time.monotonic(), count)
        if taken < count:
            self._metrics.shed.labels("rate").inc(count - taken)
        return taken, wait

    def _enter(self, name: str, context: RequestContext) -> None:
        in_flight = self._in_flight.get(name, 0)
        if in_flight >= self._share:
            self._metrics.shed.labels("caller_in_flight").inc()
            raise TooManyRequests("Wait for responses before you send more requests.", retry_after_seconds=1)
        self._in_flight[name] = in_flight + 1
        context.on_release.append(partial(self._leave, name))

    def _leave(self, name: str) -> None:
        if self._in_flight[name] == 1:
            del self._in_flight[name]
        else:
            self._in_flight[name] -= 1

    def limits(self, caller: Caller) -> tuple[float, float]:
        """Return the caller's rate and burst."""
        return caller.rate or self._rate, caller.burst or self._burst

    def require(self, caller: Caller, permission: Permission) -> None:
        """Raise NotPermitted unless the caller has the permission."""
        if permission not in caller.permissions:
            raise NotPermitted("Ask the gateway's operators for the permission that this request needs.")
