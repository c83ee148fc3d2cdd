"""The gateway as a caller of its own HTTP interface: an address, a key, GET. For the verbs that show what happened."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import httpx
import typer

from runtime.exits import Exit
from runtime.http_client import Fetched, HttpClient, reason_of

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
    typer.Option("--key-file", envvar=KEY_FILE_VARIABLE, help=f"File with a caller's key; or {KEY_VARIABLE} is set."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object per line.")]
HERE = "http://127.0.0.1:8080"


class Unanswered(Exception):
    """The gateway could not be reached or had no answer for now; asking again may help."""


class Declined(Exception):
    """The gateway said no, and asking again can't help; `slug` is the problem's stable word."""

    def __init__(self, status: int, slug: str, told: str) -> None:
        super().__init__(f"{status}: {told}")
        self.slug = slug


class ApiClient:
    """Asks the gateway; an answer that has not changed is not sent again."""

    def __init__(self, url: str, key_file: Path | None) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            fail(Exit.USAGE, f"{url}: expected a URL like https://gateway.example")
        self._url = url.rstrip("/")
        self._key = _key(key_file)
        self._known: dict[str, tuple[str, Any]] = {}
        self._http = HttpClient(url, seconds=_SECONDS, max_bytes=_MAX_BYTES, follow_redirects=True)

    def get(self, *path: str, **query: str | int | None) -> Any:
        """Return what stands at the path. Raises Unanswered; ends the program where asking again can't help."""
        try:
            return self.read(*path, **query)
        except Declined as declined:
            fail(Exit.FAILED, str(declined))

    def read(self, *path: str, **query: str | int | None) -> Any:
        """Return what stands at the path. Raises Unanswered, Declined."""
        told = {name: value for name, value in query.items() if value is not None}
        address = self._address(path) + (f"?{urlencode(told)}" if told else "")
        etag, known = self._known.get(address, (None, None))
        response = self._send("GET", address, {"If-None-Match": etag} if etag else {})
        if response.status == 304:
            return known
        found, fresh = self._parse(response), response.headers.get("ETag")
        if fresh:
            self._known[address] = fresh, found
        return found

    def post(self, *path: str, body: dict[str, Any], wait_seconds: int = 0) -> Any:
        """Return the answer to a request, which may wait for an outcome. Raises Unanswered, Declined."""
        headers = {"Content-Type": "application/json"} | ({"Prefer": f"wait={wait_seconds}"} if wait_seconds else {})
        return self._parse(self._send("POST", self._address(path), headers, json.dumps(body).encode(), wait_seconds))

    def _address(self, path: tuple[str, ...]) -> str:
        return f"{self._url}/v1/{'/'.join(quote(part, safe='') for part in path)}"

    def _send(
        self, method: str, address: str, headers: dict[str, str], content: bytes | None = None, more_seconds: float = 0
    ) -> Fetched:
        try:
            response = self._http.send(
                method,
                address,
                headers={"Authorization": f"Bearer {self._key}", **headers},
                content=content,
                more_seconds=more_seconds,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(f"{self._url}: {reason_of(error)}") from error
        if response.status != 304 and not 200 <= response.status < 300:
            raise _refusal(response)
        return response

    def _parse(self, response: Fetched) -> Any:
        try:
            return json.loads(response.body)
        except ValueError as error:
            raise Unanswered(f"{self._url}: the response is not JSON") from error

    def timeline(self, authorization_id: str) -> Iterator[dict[str, Any]]:
        """Walk everything that happened to an authorization."""
        cursor = None
        while True:
            page = self.get("authorizations", authorization_id, "timeline", limit=_PAGE, cursor=cursor)
            yield from page["entries"]
            cursor = page.get("next")
            if cursor is None:
                return


def _refusal(response: Fetched) -> Unanswered | Declined:
    slug = ""
    try:
        problem = json.loads(response.body)
        told, slug = f"{problem['title']}. {problem['detail']}", problem["type"].rpartition(":")[2]
    except (ValueError, KeyError, TypeError):
        told = "the response is not a gateway's"
    if response.status in {429, 502, 503, 504}:
        return Unanswered(f"{response.status}: {told}")
    return Declined(response.status, slug, told)


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


def fail(code: Exit, told: str) -> NoReturn:
    """End the program with a sentence."""
    typer.echo(f"gateway: {told}", err=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print one object on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
