"""The gateway as a caller of its own HTTP interface: an address, a key, GET. For the verbs that show what happened."""

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import typer

from runtime.exits import Exit

KEY_VARIABLE, KEY_FILE_VARIABLE, URL_VARIABLE = (
    "COLLATE_GATEWAY_KEY",
    "COLLATE_GATEWAY_KEY_FILE",
    "COLLATE_GATEWAY_URL",
)
_SECONDS = 15.0
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
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
            address, headers=self._headers() | ({"If-None-Match": etag} if etag else {})
        )
        found, fresh = self._send(request, known)
        if fresh:
            self._known[address] = fresh, found
        return found

    def post(self, *path: str, body: dict[str, Any], wait_seconds: int = 0) -> Any:
        """Return the answer to a request, which may wait for an outcome. Raises Unanswered, Declined."""
        headers = {"Content-Type": "application/json"} | ({"Prefer": f"wait={wait_seconds}"} if wait_seconds else {})
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
            self._address(path), json.dumps(body).encode(), self._headers() | headers, method="POST"
        )
        return self._send(request, None, wait_seconds)[0]

    def _address(self, path: tuple[str, ...]) -> str:
        return f"{self._url}/v1/{'/'.join(quote(part, safe='') for part in path)}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _send(self, request: urllib.request.Request, known: Any, more_seconds: float = 0.0) -> tuple[Any, str | None]:
        """Return the answer and its ETag."""
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS + more_seconds) as answer:  # noqa: S310 - as above
                return json.loads(answer.read()), answer.headers["ETag"]
        except urllib.error.HTTPError as refused:
            with refused:
                if refused.code == 304:
                    return known, None
                self._refused(refused)
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            trust = " (is its certificate trusted here?)" if isinstance(reason, ssl.SSLError) else ""
            raise Unanswered(f"{self._url}: {said(reason)}{trust}") from error

    def timeline(self, authorization_id: str) -> Iterator[dict[str, Any]]:
        """Walk everything that happened to an authorization."""
        cursor = None
        while True:
            page = self.get("authorizations", authorization_id, "timeline", limit=_PAGE, cursor=cursor)
            yield from page["entries"]
            cursor = page.get("next")
            if cursor is None:
                return

    def _refused(self, refused: urllib.error.HTTPError) -> NoReturn:
        slug = ""
        try:
            problem = json.loads(refused.read())
            told, slug = f"{problem['title']}. {problem['detail']}", problem["type"].rpartition(":")[2]
        except (ValueError, KeyError, OSError):
            told = "no answer of a gateway's"
        if refused.code in {429, 502, 503, 504}:
            raise Unanswered(f"{refused.code}: {told}") from refused
        raise Declined(refused.code, slug, told) from refused


def said(reason: object) -> str:
    """Put what a connection failed with in words."""
    if isinstance(reason, ssl.SSLError) or not isinstance(reason, OSError) or not reason.strerror:
        return str(reason) or type(reason).__name__
    return reason.strerror.lower()


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
