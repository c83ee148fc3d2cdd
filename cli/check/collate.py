"""`gateway check` of Collate: its address, our key and the clock. Two harmless GETs, no retries."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from adapters.collate.open_client import open_transport
from adapters.collate.operations import Operation, path_of
from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import NoResponse
from cli.check.check_results import CheckResult, differs, failed, ok, skipped
from runtime.exits import Exit
from runtime.settings import CollateSettings, read_secret

# An authorization that does not exist: with a good key Collate responds 404.
_NO_AUTHORIZATION = "gateway-check"
# The gateway's clock decides when commands expire. Date has whole seconds.
_AGREES_SECONDS, _USABLE_SECONDS = 3.0, 30.0
_PROXY_PROBLEMS: Final = {
    Cause.PROXY_UNREACHABLE: "no connection",
    Cause.PROXY_TIMEOUT: "no response in time",
    Cause.PROXY_CREDENTIALS: "the proxy refuses the credentials in GATEWAY_COLLATE__PROXY_CREDENTIALS_FILE",
    Cause.PROXY_REFUSED: "the proxy refuses to connect to Collate",
    Cause.PROXY_FAILED: "the proxy closed the connection, or does not respond as a proxy",
}


async def check_collate(collate: CollateSettings) -> AsyncIterator[CheckResult]:
    """Request /health without the key, then an authorization that does not exist with the key."""
    if collate.writes == "off":
        yield ok("collate", f"writes off: a shadow, at most {collate.calls_per_second:g} calls per second")
    async with aclosing(open_transport(collate)) as transport:
        before = time.time()
        try:
            health = await transport.call("GET", path_of(Operation.HEALTH))
        except NoResponse as failure:
            yield _no_response("collate", failure, collate)
            return
        received_at = (before + time.time()) / 2
        yield _health(collate, health)
        key = read_secret(collate.api_key_file).get_secret_value()
        path = path_of(Operation.GET_AUTHORIZATION, _NO_AUTHORIZATION)
        try:
            response = await transport.call("GET", path, [("Authorization", f"Bearer {key}")])
        except NoResponse as failure:
            yield _no_response("collate key", failure, collate)
        except ValueError:
            yield failed("collate key", f"{collate.api_key_file} holds no key: not one printable line", Exit.CONFIG)
        else:
            yield _key(response.status_code)
        yield _clock(health, received_at)


def _no_response(subject: str, failure: NoResponse, collate: CollateSettings) -> CheckResult:
    problem = _PROXY_PROBLEMS.get(failure.cause)
    if problem is None:
        return failed(subject, f"{collate.base_url}{_through(collate)}: {failure}", Exit.UNAVAILABLE)
    status = "" if failure.status is None else f" ({failure.status})"
    code = Exit.DENIED if failure.status in range(400, 500) else Exit.UNAVAILABLE
    if failure.cause is Cause.PROXY_CREDENTIALS and failure.status is None:
        problem, code = "GATEWAY_COLLATE__PROXY_CREDENTIALS_FILE can't be read", Exit.CONFIG
    return failed(subject, f"proxy {collate.proxy}: {problem}{status}", code)


def _through(collate: CollateSettings) -> str:
    return "" if collate.proxy is None else f" through proxy {collate.proxy}"


def _health(collate: CollateSettings, health: httpx.Response) -> CheckResult:
    detail = f"{collate.base_url}/health{_through(collate)} responded {health.status_code}"
    return ok("collate", detail) if health.is_success else failed("collate", detail, Exit.UNAVAILABLE)


def _key(status: int) -> CheckResult:
    match status:
        case 401:
            return failed("collate key", "Collate refuses the key (401); each environment has its own", Exit.DENIED)
        case 403:
            return failed("collate key", "the key may not read here (403): is it of another environment?", Exit.DENIED)
        case 200 | 404:
            return ok("collate key", f"accepted (a harmless GET got {status})")
        case _:
            return failed("collate key", f"a harmless GET got {status}", Exit.UNAVAILABLE)


def _clock(health: httpx.Response, received_at: float) -> CheckResult:
    try:
        collate_time = parsedate_to_datetime(health.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return skipped("clock", "Collate's response has no Date to compare with")
    # A Date cut to whole seconds is on average half a second behind.
    skew = received_at - (collate_time + 0.5)
    difference = f"our clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} Collate's"
    if abs(skew) <= _AGREES_SECONDS:
        return ok("clock", f"agrees with Collate's within {_AGREES_SECONDS:.0f} s")
    if abs(skew) <= _USABLE_SECONDS:
        return differs("clock", f"{difference}; our clock decides when commands expire")
    return failed("clock", f"{difference}: commands and grants would expire wrongly; set the time (NTP)", Exit.CONFIG)
