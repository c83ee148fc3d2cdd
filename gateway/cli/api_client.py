"""A client of the gateway's HTTP API with a caller's key, for the verbs that read commands and send decisions."""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import httpx
import typer

from runtime.exits import Exit
from runtime.http_client import Fetched, HttpClient, reason_of
from schemas.cloudevents import BATCH
from schemas.fields.visible_text import escaped_json

KEY_VARIABLE, KEY_FILE_VARIABLE, URL_VARIABLE = (
    "COLLATE_GATEWAY_KEY",
    "COLLATE_GATEWAY_KEY_FILE",
    "COLLATE_GATEWAY_URL",
)
_SECONDS = 15.0
_MAX_BYTES = 64 << 20
_PAGE = 200

Url = Annotated[
    str, typer.Option("--url", envvar=URL_VARIABLE, help="The gateway's address.", show_default=True, metavar="URL")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar=KEY_FILE_VARIABLE,
        help=f"File with a caller's key, or with your own token; alternative: {KEY_VARIABLE}.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object per line.")]
DEFAULT_URL = "http://127.0.0.1:8080"


class GatewayUnavailable(Exception):
    """The gateway is unreachable, or responded that a retry may succeed, after `retry_after` seconds if known."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RequestRejected(Exception):
    """The gateway rejected the request, and a retry cannot succeed; `slug` identifies the problem."""

    def __init__(self, status: int, slug: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.slug = slug


class ApiClient:
    """A client that caches each response with its ETag, so that an unchanged one is not sent again."""

    def __init__(self, url: str, key_file: Path | None) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            fail(Exit.USAGE, f"{url}: expected a URL like https://gateway.example")
        self._url = url.rstrip("/")
        self._key = _key(key_file)
        self._cache: dict[str, tuple[str, Any]] = {}
        self._http = HttpClient(url, seconds=_SECONDS, max_bytes=_MAX_BYTES, follow_redirects=True)

    def get(self, *path: str, **query: str | int | None) -> Any:
        """Return the JSON document at the path; end the program on a rejection. Raises GatewayUnavailable."""
        try:
            return self.read(*path, **query)
        except RequestRejected as rejection:
            fail(Exit.FAILED, str(rejection))

    def read(self, *path: str, **query: str | int | None) -> Any:
        """Return the JSON document at the path. Raises GatewayUnavailable, RequestRejected."""
        parameters = {name: value for name, value in query.items() if value is not None}
        url = self._full_url(path) + (f"?{urlencode(parameters)}" if parameters else "")
        etag, cached = self._cache.get(url, (None, None))
        response = self._send("GET", url, {"If-None-Match": etag} if etag else {})
        if response.status == 304:
            return cached
        document, new_etag = self._parse(response), response.headers.get("ETag")
        if new_etag:
            self._cache[url] = new_etag, document
        return document

    def post(self, *path: str, body: dict[str, Any], wait_seconds: int = 0, key: str | None = None) -> Any:
        """Send a request and return the response; `wait_seconds` is its wait for an outcome. Raises as `read`."""
        headers = {"Content-Type": "application/json"} | ({"Prefer": f"wait={wait_seconds}"} if wait_seconds else {})
        if key is not None:
            headers["Idempotency-Key"] = key
        return self._parse(self._send("POST", self._full_url(path), headers, json.dumps(body).encode(), wait_seconds))

    def send_batch(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send commands as CloudEvents and return a result for each, in their order. Raises as `read`."""
        content = json.dumps(events, separators=(",", ":")).encode()
        response = self._parse(self._send("POST", self._full_url(("commands",)), {"Content-Type": BATCH}, content))
        results = response.get("results") if isinstance(response, dict) else None
        if not isinstance(results, list) or len(results) != len(events):
            raise GatewayUnavailable(f"{self._url}: the response has not one result for each event")
        return results

    def _full_url(self, path: tuple[str, ...]) -> str:
        return f"{self._url}/v1/{'/'.join(quote(part, safe='') for part in path)}"

    def _send(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None = None, more_seconds: float = 0
    ) -> Fetched:
        try:
            response = self._http.send(
                method,
                url,
                headers={"Authorization": f"Bearer {self._key}", **headers},
                content=content,
                more_seconds=more_seconds,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GatewayUnavailable(f"{self._url}: {reason_of(error)}") from error
        if response.status != 304 and not 200 <= response.status < 300:
            raise _error_of(response)
        return response

    def _parse(self, response: Fetched) -> Any:
        try:
            return json.loads(response.body)
        except ValueError as error:
            raise GatewayUnavailable(f"{self._url}: the response is not JSON") from error

    def operator(self, stated: str | None) -> str:
        """Return the name of the operator: as stated, else the person whose token is the key, else the local user.

        Raises as `read`.
        """
        if stated:
            return stated
        try:
            person = self.read("me").get("person")
        except RequestRejected as rejection:
            if rejection.slug != "not-found":
                raise
            person = None  # an ingress of an older version has no people
        return str(person) if person else user_name()

    def timeline(self, authorization_id: str) -> Iterator[dict[str, Any]]:
        """Yield all entries of an authorization's timeline."""
        cursor = None
        while True:
            page = self.get("authorizations", authorization_id, "timeline", limit=_PAGE, cursor=cursor)
            yield from page["entries"]
            cursor = page.get("next")
            if cursor is None:
                return


def _error_of(response: Fetched) -> GatewayUnavailable | RequestRejected:
    slug = ""
    try:
        problem = json.loads(response.body)
        title, detail = problem["title"].rstrip("."), problem["detail"]
        message = detail if detail.startswith(title) else f"{title}. {detail}"
        slug = problem["type"].rpartition(":")[2]
        for fault in problem.get("errors", ()):
            place = fault.get("pointer") or fault.get("parameter") or fault.get("header")
            message += f"\n  {place}: {fault['detail']}"
    except (ValueError, KeyError, TypeError):
        message = "the response is not from a gateway"
    if response.status in {429, 502, 503, 504}:
        seconds = response.headers.get("Retry-After", "")
        return GatewayUnavailable(f"{response.status}: {message}", float(seconds) if seconds.isdecimal() else None)
    return RequestRejected(response.status, slug, message)


def _key(key_file: Path | None) -> str:
    if key_file is not None:
        try:
            return key_file.read_text().strip()
        except OSError as error:
            fail(Exit.USAGE, f"{key_file}: {(error.strerror or 'unreadable').lower()}")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        fail(Exit.USAGE, f"no key: give --key-file, or set {KEY_FILE_VARIABLE} or {KEY_VARIABLE}")
    return key


def fail(code: Exit, message: str) -> NoReturn:
    """Print the message on standard error and exit with the code."""
    typer.echo(f"gateway: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def report_errors() -> Iterator[None]:
    """End the program with a message if the gateway does not answer, or rejects a request."""
    try:
        yield
    except GatewayUnavailable as error:
        fail(Exit.UNAVAILABLE, str(error))
    except RequestRejected as rejection:
        fail(Exit.FAILED, str(rejection))


def user_name() -> str:
    """Return the local user's name. Exits if there is none, as in a container whose user id has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        fail(Exit.USAGE, "unknown operator: give --operator or set COLLATE_GATEWAY_OPERATOR")


def print_json(value: Any) -> None:
    """Print a value as JSON on one line. Characters that deceive a terminal are escaped as JSON."""
    typer.echo(escaped_json(json.dumps(value, ensure_ascii=False, separators=(",", ":"))))
