"""`gateway check`: is Collate there, does it take our key, do our clocks agree? Two harmless GETs, no retries."""

import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

from adapters.collate.connection import Limits, NoReply
from adapters.collate.http_response import HttpResponse
from adapters.collate.operations import Operation, path_of
from adapters.collate.transport import Request, Transport
from gateway.cli.check.check_results import CheckResult, differs, failed, ok, skipped
from runtime.exits import Exit
from runtime.settings import CollateSettings, read_secret
from runtime.version import VERSION

# Nobody's authorization: with a good key the answer is that there is none.
_NOBODYS = "gateway-check"
# Expiries are judged by our clock; Date has whole seconds.
_AGREES_SECONDS, _USABLE_SECONDS = 3.0, 30.0
_ANSWER_BYTES = 1 << 20


async def check_collate(collate: CollateSettings) -> AsyncIterator[CheckResult]:
    """Ask /health without the key, then for an authorization that nobody has, with it."""
    limits = Limits(
        connect_seconds=collate.connect_timeout.total_seconds(),
        write_seconds=collate.write_timeout.total_seconds(),
        read_seconds=collate.read_timeout.total_seconds(),
        total_seconds=collate.total_timeout.total_seconds(),
        max_body=_ANSWER_BYTES,
    )
    agent = f"collate-gateway/{VERSION}"
    async with Transport(collate.base_url, limits, ca_file=collate.ca_file, agent=agent) as transport:
        before = time.time()
        health = await transport.send(Request("GET", path_of(Operation.HEALTH)))
        heard_at = (before + time.time()) / 2
        if isinstance(health, NoReply):
            yield failed("collate", f"{collate.base_url}: {health.cause.replace('_', ' ')}", Exit.UNAVAILABLE)
            return
        yield _health(collate.base_url, health)
        key = read_secret(collate.api_key_file).get_secret_value()
        path = path_of(Operation.GET_AUTHORIZATION, _NOBODYS)
        try:
            answer = await transport.send(Request("GET", path, (("Authorization", f"Bearer {key}"),)))
        except ValueError:
            yield failed("collate key", f"{collate.api_key_file} holds no key: not one printable line", Exit.CONFIG)
        else:
            yield _key(answer)
        yield _clock(health, heard_at)


def _health(url: str, health: HttpResponse) -> CheckResult:
    if 200 <= health.status < 300:
        return ok("collate", f"{url}/health answered {health.status}")
    return failed("collate", f"{url}/health answered {health.status}", Exit.UNAVAILABLE)


def _key(answer: HttpResponse | NoReply) -> CheckResult:
    match answer:
        case NoReply(cause=cause):
            return failed("collate key", f"no answer: {cause.replace('_', ' ')}", Exit.UNAVAILABLE)
        case HttpResponse(status=401):
            return failed("collate key", "Collate refuses it (401); each environment has its own keys", Exit.DENIED)
        case HttpResponse(status=403):
            return failed("collate key", "it may not read here (403): another environment's key?", Exit.DENIED)
        case HttpResponse(status=200 | 404):
            return ok("collate key", f"accepted (a harmless GET was answered {answer.status})")
        case _:
            return failed("collate key", f"a harmless GET was answered {answer.status}", Exit.UNAVAILABLE)


def _clock(health: HttpResponse, heard_at: float) -> CheckResult:
    try:
        theirs = parsedate_to_datetime(health.headers[b"date"].decode("ascii")).timestamp()
    except (KeyError, ValueError):
        return skipped("clock", "Collate's answer has no Date to compare with")
    # A Date cut to whole seconds is on average half a second behind.
    skew = heard_at - (theirs + 0.5)
    told = f"ours is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} Collate's"
    if abs(skew) <= _AGREES_SECONDS:
        return ok("clock", f"agrees with Collate's within {_AGREES_SECONDS:.0f} s")
    if abs(skew) <= _USABLE_SECONDS:
        return differs("clock", f"{told}; expiries are judged by ours")
    return failed("clock", f"{told}: commands and grants would expire wrongly; set the time (NTP)", Exit.CONFIG)
