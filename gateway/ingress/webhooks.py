"""The state of the webhook subscriptions, for the overview, read from the admin ports of the deliverers.

It is remembered for two seconds, so that many open pages cost one read. A deliverer that does not answer is counted;
the overview never waits longer than a second for all of them.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import httpx

from runtime.admin.answers import SubscriptionCondition, SubscriptionState
from runtime.http_client import HttpClient
from schemas.api.reads import LastDelivery, Webhooks, WebhookSubscription

_KEPT_SECONDS: Final = 2.0
_READ_SECONDS: Final = 1.0
_MAX_BYTES: Final = 4 << 20
# The worst state of a replica is the state of the subscription. A state of a newer deliverer is the worst.
_BY_URGENCY: Final = tuple(SubscriptionCondition)

Json = dict[str, Any]
Read = Callable[[str], Json | None]


def read_report(url: str) -> Json | None:
    """Return /partitions of a deliverer's admin port; None if it does not answer."""
    client = HttpClient(url, seconds=_READ_SECONDS, max_bytes=_MAX_BYTES, direct=True)
    try:
        response = client.send("GET", f"{url}/partitions")
        found = json.loads(response.body)
        return found if response.status == 200 and isinstance(found["subscriptions"], list) else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return None


class WebhookStates:
    """The subscriptions of all deliverers. Without addresses there are none."""

    def __init__(
        self, urls: Sequence[str], read: Read = read_report, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.urls = tuple(urls)
        self._read = read
        self._clock = clock
        self._known: Webhooks | None = None
        self._known_at = 0.0
        self._reading = asyncio.Lock()

    async def current(self) -> Webhooks | None:
        """Return the state of the subscriptions; None in an installation without deliverers."""
        if not self.urls:
            return None
        async with self._reading:
            if self._known is None or self._clock() - self._known_at >= _KEPT_SECONDS:
                found = await asyncio.gather(*(asyncio.to_thread(self._read, url) for url in self.urls))
                self._known, self._known_at = combined(found), self._clock()
            return self._known


def combined(found: Iterable[Json | None]) -> Webhooks:
    """Combine the reports of several deliverers, which share the partitions of a subscription. Pure."""
    unreachable = 0
    by_name: dict[str, list[SubscriptionState]] = {}
    for report in found:
        if report is None:
            unreachable += 1
            continue
        for state in report["subscriptions"]:
            by_name.setdefault(state["name"], []).append(state)
    return Webhooks(
        subscriptions=[_combined(name, reports) for name, reports in sorted(by_name.items())], unreachable=unreachable
    )


def _combined(name: str, reports: Sequence[SubscriptionState]) -> WebhookSubscription:
    worst = min(reports, key=lambda report: _BY_URGENCY.index(report["state"]) if report["state"] in _BY_URGENCY else 0)
    answers = [report["lastAnswer"] for report in reports if report["lastAnswer"] is not None]
    last = min(answers, key=lambda answer: answer["agoSeconds"]) if answers else None
    return WebhookSubscription(
        name=name,
        url=worst["url"],
        state=worst["state"],
        oldest_seconds=max(report["oldestSeconds"] for report in reports),
        undelivered=sum(report["lag"] for report in reports),
        last_answer=None
        if last is None
        else LastDelivery(result=last["result"], status=last["status"], ago_seconds=last["agoSeconds"]),
        delivered=sum(report["delivered"] for report in reports),
        dead_letters=sum(report["deadLetters"] for report in reports),
    )
