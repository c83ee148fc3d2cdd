"""The rates and permissions of callers, checked in this order before a byte of the body is read."""

import time
from collections.abc import Set as AbstractSet

from starlette.requests import Request

from gateway.ingress.auth.callers import Caller, Permission
from gateway.ingress.auth.rate_limit import RateLimits
from gateway.ingress.auth.signed_commands import is_signed
from gateway.ingress.http.context import context_of
from gateway.ingress.http.problems import NotPermitted, SignatureNotAccepted, TooManyRequests, Unauthenticated
from runtime.metrics import IngressMetrics

_SIGNATURE_ELSEWHERE = (
    "A signature does not cover the method, the path and the query of this request, so a captured one could be sent to "
    "another place. Send an API key or a token, or send the command as a structured CloudEvent to POST /v1/commands."
)


class AccessControl:
    """Admits authenticated callers within their permissions and rates."""

    def __init__(self, metrics: IngressMetrics, *, rate: float, burst: float) -> None:
        self._metrics = metrics
        self._rate = rate
        self._burst = burst
        self._rate_limits = RateLimits()

    def admit(self, request: Request, permission: Permission | None = None) -> Caller:
        """Return the caller. Raises Unauthenticated, SignatureNotAccepted, TooManyRequests and NotPermitted."""
        caller: Caller | None = request.user
        context = context_of(request.scope)
        if caller is None:
            raise SignatureNotAccepted(_SIGNATURE_ELSEWHERE) if is_signed(context) else Unauthenticated
        context.caller = caller.name
        rate, burst = caller.rate or self._rate, caller.burst or self._burst
        wait = self._rate_limits.take(caller.name, rate, burst, time.monotonic())
        if wait:
            self._metrics.shed.labels("rate").inc()
            raise TooManyRequests(
                "Send fewer requests per second. Wait for the time in Retry-After.", retry_after_seconds=wait
            )
        if permission is not None:
            self.require(caller, permission)
        return caller

    def require(self, caller: Caller, permission: Permission) -> None:
        """Raise NotPermitted unless the caller has the permission."""
        if permission not in caller.permissions:
            raise NotPermitted("Ask the gateway's operators for the permission that this request needs.")

    def keep_only(self, names: AbstractSet[str]) -> None:
        """Remove the rate limits of all other callers."""
        self._rate_limits.keep_only(names)
