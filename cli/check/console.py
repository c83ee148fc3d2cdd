"""`gateway check --for console`: the cookie keys, the API behind the pages, and the issuer at which people sign in."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from cli.check.check_results import CheckResult, failed, ok, skipped
from cli.check.files import check_key_file
from cli.check.process import check_process
from console.sign_in.sealing import MOST_KEYS
from runtime.exits import Exit
from runtime.http_client import HttpClient, reason_of
from runtime.settings import ConsoleProcessSettings

SECONDS = 5.0
MOST_BYTES = 256 << 10


def check_console(settings: ConsoleProcessSettings, *, offline: bool) -> Iterator[CheckResult]:
    """Check what `gateway console` needs. Changes nothing and sends no credential."""
    own = settings.console
    if own.cookie_key_file is not None:
        yield _cookie_keys(own.cookie_key_file)
    if offline:
        return
    yield check_process(settings.admin, "console")
    yield _api(own.api_url or "")
    yield skipped("issuer", "people do not sign in at one") if own.oidc_issuer is None else _issuer(own.oidc_issuer)


def _cookie_keys(file: Path) -> CheckResult:
    return check_key_file("cookie keys", file, MOST_KEYS)


def _api(url: str) -> CheckResult:
    """A request without a credential is enough: only the ingress answers it with this problem."""
    try:
        response = HttpClient(url, seconds=SECONDS, max_bytes=MOST_BYTES, direct=True).send("GET", f"{url}/v1/me")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failed("api", f"{url} is not reached: {reason_of(error)}", Exit.UNAVAILABLE)
    kind: str = response.headers.get("content-type", "")
    if response.status == 401 and kind.startswith("application/problem+json"):
        return ok("api", f"{url} answers")
    return failed("api", f"{url} answers {response.status}, and the ingress would answer 401", Exit.CONFIG)


def _issuer(issuer: str) -> CheckResult:
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        response = HttpClient(address, seconds=SECONDS, max_bytes=MOST_BYTES).send("GET", address)
        document: object = json.loads(response.body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failed("issuer", f"{issuer} is not reached: {reason_of(error)}", Exit.UNAVAILABLE)
    except ValueError:
        document = None
    name = document.get("issuer") if isinstance(document, Mapping) else None
    if response.status != 200 or not isinstance(name, str) or name.rstrip("/") != issuer.rstrip("/"):
        return failed("issuer", f"{address} (status {response.status}) is not the document of {issuer}", Exit.CONFIG)
    return ok("issuer", f"{issuer} answers")
