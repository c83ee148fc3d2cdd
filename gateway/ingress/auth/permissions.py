"""The rates, shares and permissions of callers, checked in this order before a byte of the body is read.

Invariant: a caller has at most its share of the requests in flight (`shares`), so slow bodies and slow calls cannot
take all places. Beyond it the slowest of its unfinished bodies ends; without one the new request gets 429.
"""

import time

from starlette.requests import Request

from gateway.ingress.api_http.api_problems import (
    CredentialsUnchecked,
    NotPermitted,
    SignatureNotAccepted,
    TooManyInFlight,
    TooManyRequests,
    Unauthenticated,
)
from gateway.ingress.api_http.body import UnfinishedBodies
from gateway.ingress.api_http.context import RequestContext, context_of
from gateway.ingress.auth.callers import Caller
from gateway.ingress.auth.rate_limit import RateLimits
from gateway.ingress.auth.shares import shares_of
from gateway.ingress.auth.signed_commands import is_signed
from gateway.middleware.exchange import Places
from runtime.metrics import IngressMetrics
from schemas.callers import pool_of
from schemas.permissions import Permission

_SIGNATURE_ELSEWHERE = (
    "A signature does not cover the method, the path and the query of this request, so a captured one could be sent to "
    "another place. Send an API key or a token, or send the command as a structured CloudEvent to POST /v1/commands."
)


class AccessControl:
    """Admits authenticated callers within their permissions and rates."""

    def __init__(
        self, metrics: IngressMetrics, bodies: UnfinishedBodies, *, rate: float, burst: float, max_in_flight: int
    ) -> None:
        """`max_in_flight`: the bound of all requests in flight."""
        self._metrics = metrics
        self._bodies = bodies
        self._rate = rate
        self._burst = burst
        self._rate_limits = RateLimits()
        self._max_in_flight = max_in_flight
        self._in_flight = Places()

    def admit(self, request: Request) -> Caller:
        """Return the caller, who needs a permission of the operation if it has some.

        Raises like `identify`, and StepUpRequired.
        """
        operation = request.scope["operation"]
        caller = self.identify(request, *operation.permissions)
        demanded = caller.second_factor
        if (
            demanded is not None
            and operation.needs_second_factor
            and operation.without_phi not in request.query_params.multi_items()
            and not demanded.is_met(caller.acr, caller.signed_in_at, time.time())
        ):
            raise demanded.problem()
        return caller

    def identify(self, request: Request, *permissions: Permission) -> Caller:
        """Return the caller, who needs one of the permissions if there are some.

        Raises Unauthenticated, SignatureNotAccepted, CredentialsUnchecked, TooManyRequests, NotPermitted and
        TooManyInFlight.
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
            raise TooManyRequests("Send fewer requests per second. Please try again later.", retry_after_seconds=wait)
        if permissions:
            self.require(caller, *permissions)
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
        shares = shares_of(name, self._max_in_flight)
        for each, share in shares.items():
            if self._in_flight.taken(each) >= share and not self._evict(each):
                self._metrics.shed.labels("caller_in_flight").inc()
                raise TooManyInFlight("Wait for responses before you send more requests.", retry_after_seconds=1)
        self._in_flight.take(context, *shares)

    def _evict(self, name: str) -> bool:
        """End the slowest unfinished body of a caller, or of all people of a prefix."""
        return self._bodies.evict(
            "slow_bodies", lambda other: other.caller is not None and name in {other.caller, pool_of(other.caller)}
        )

    def limits(self, caller: Caller) -> tuple[float, float]:
        """Return the caller's rate and burst."""
        return caller.rate or self._rate, caller.burst or self._burst

    def require(self, caller: Caller, *permissions: Permission) -> None:
        """Raise NotPermitted unless the caller has one of the permissions."""
        if caller.permissions.isdisjoint(permissions):
            raise NotPermitted("Ask the gateway's operators for the permission that this request needs.")
