"""The state of the webhook subscriptions, for the overview, read from the admin ports of the deliverers.

A deliverer that does not answer is counted; a read of all of them takes no longer than a second.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import httpx

from runtime.admin.answers import SubscriptionCondition, SubscriptionState
from runtime.http_client import HttpClient
from schemas.api.reads import LastDelivery, Webhooks, WebhookSubscription

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


async def read_webhooks(urls: Sequence[str], read: Read) -> Webhooks | None:
    """Return the state of the subscriptions of all deliverers; None in an installation without deliverers."""
    found = await asyncio.gather(*(asyncio.to_thread(read, url) for url in urls))
    return combined(found) if urls else None


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
