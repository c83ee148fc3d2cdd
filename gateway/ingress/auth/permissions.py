"""Who asks, whether they may, and whether they ask too much: in this order, before a byte of the body is read."""

import time

from gateway.ingress.auth.authentication import BEARER, LONGEST_CREDENTIAL
from gateway.ingress.auth.callers import Caller, Permission
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.auth.rate_limit import Buckets
from gateway.ingress.http.exchange import Exchange
from gateway.ingress.http.problems import NotPermitted, TooManyRequests, Unauthenticated
from runtime.metrics import IngressMetrics


class AccessControl:
    """Lets known callers through, each within its permissions and its rate."""

    def __init__(self, callers: CallersFile, metrics: IngressMetrics, *, rate: float, burst: float) -> None:
        self._callers = callers
        self._metrics = metrics
        self._rate = rate
        self._burst = burst
        self._buckets = Buckets()

    def admit(self, exchange: Exchange, permission: Permission | None = None) -> Caller:
        """Return the caller; raises Unauthenticated, TooManyRequests, and NotPermitted if a permission is named."""
        caller = self._identify(exchange)
        exchange.facts.caller = caller.name
        wait = self._buckets.take(caller.name, caller.rate or self._rate, caller.burst or self._burst, time.monotonic())
        if wait:
            self._metrics.shed.labels("rate").inc()
            raise TooManyRequests(
                "Send fewer requests per second; wait as long as Retry-After says.", retry_after_seconds=wait
            )
        if permission is not None:
            self.require(caller, permission)
        return caller

    def require(self, caller: Caller, permission: Permission) -> None:
        """Raise NotPermitted unless the caller may."""
        if permission not in caller.permissions:
            raise NotPermitted("Ask the gateway's operators for the permission that this call needs.")

    def forget_strangers(self) -> None:
        """Drop what is kept of callers that the file no longer names."""
        self._buckets.keep_only(self._callers.current.names)

    def _identify(self, exchange: Exchange) -> Caller:
        if exchange.verified is not None:
            return exchange.verified
        credential = exchange.headers.get(b"authorization", b"")
        if credential[:7].lower() != BEARER or len(credential) > LONGEST_CREDENTIAL:
            raise Unauthenticated
        caller = self._callers.current.by_key(credential[7:].strip().decode("latin-1"), time.time())
        if caller is None:
            raise Unauthenticated
        return caller
