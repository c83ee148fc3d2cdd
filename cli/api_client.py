"""The gateway's API with a caller's key: the published client, with the texts and the exit codes of the command line.

No other module of the command line imports the client.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, NotRequired, TypedDict, TypeVar, cast

import typer

from cli.terminal import fail, user_name
from collate_gateway_client import Call, Gateway, GatewayProblem, NotAnswered, RetryPolicy, models, operations
from collate_gateway_client.calls import batch, event
from collate_gateway_client.errors import is_retried
from runtime.exits import Exit
from runtime.http_client import is_local

__all__ = ["Call", "RetryPolicy", "batch", "event", "models", "operations"]

KEY_VARIABLE, KEY_FILE_VARIABLE, URL_VARIABLE = (
    "COLLATE_GATEWAY_KEY",
    "COLLATE_GATEWAY_KEY_FILE",
    "COLLATE_GATEWAY_URL",
)
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
DEFAULT_URL: Final = "http://127.0.0.1:8080"

SECONDS: Final = 15.0
ONE_TRY: Final = RetryPolicy.none(SECONDS)
_MOST_BYTES: Final = 64 << 20

T = TypeVar("T")


class Page(TypedDict):
    """A page of a list; `next` is the cursor of the next page."""

    next: NotRequired[str]


SomePage = TypeVar("SomePage", bound=Page)


class GatewayUnavailable(Exception):
    """The gateway is unreachable, or responded that a retry may succeed."""


class RequestRejected(Exception):
    """The gateway rejected the request, and a retry cannot succeed; `slug` identifies the problem."""

    def __init__(self, slug: str, message: str, members: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.slug = slug
        self.members = members or {}


class ApiClient:
    """A client that caches each read with its ETag, so that an unchanged answer is not sent again."""

    def __init__(self, url: str, gateway: Gateway) -> None:
        self._url = url
        self._gateway = gateway
        self._cache: dict[str, tuple[str, object]] = {}

    def send(self, call: Call[T], wait: int = 0) -> T:
        """Send a call and return the answer; `wait` is the seconds to wait for an outcome.

        Raises GatewayUnavailable, RequestRejected.
        """
        with self._failures():
            return self._gateway.send(call, wait=wait).body

    def read(self, call: Call[T]) -> T:
        """Return the answer of a read, from the cache if it has not changed. Raises as `send`."""
        etag, cached = self._cache.get(call.target, (None, None))
        with self._failures():
            answer = self._gateway.send_if_changed(replace(call, etag=etag))
        if answer is None:
            return cast("T", cached)
        if new_etag := answer.headers.get("etag"):
            self._cache[call.target] = new_etag, answer.body
        return answer.body

    def pages(self, call: Call[SomePage]) -> Iterator[SomePage]:
        """Yield the pages of a list. Raises as `send`."""
        while True:
            page = self.read(call)
            yield page
            listed: Page = page
            if "next" not in listed:
                return
            call = call.page_after(listed["next"])

    def operator(self, stated: str | None) -> str:
        """Return the name of the operator: as stated, else the person whose token is the key, else the local user.

        Raises as `send`.
        """
        return stated or self.read(operations.read_me()).get("person") or user_name()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except NotAnswered as error:
            raise GatewayUnavailable(f"{self._url}: {error.reason}") from error
        except GatewayProblem as problem:
            if is_retried(problem):
                raise GatewayUnavailable(_text_of(problem)) from problem
            raise RequestRejected(problem.slug, _text_of(problem), problem.members) from problem
        except ValueError as unsendable:
            fail(Exit.USAGE, f"the key cannot be sent: {unsendable}")


@contextmanager
def connected(url: str, key_file: Path | None, retries: RetryPolicy = ONE_TRY) -> Iterator[ApiClient]:
    """Use the API for a block. End the program if the gateway does not answer, or rejects a request."""
    key = _key(key_file)
    try:
        gateway = Gateway(url, key, retries=retries, direct=is_local(url), most_bytes=_MOST_BYTES)
    except ValueError:
        fail(Exit.USAGE, f"{url}: expected a URL like https://gateway.example")
    with gateway:
        try:
            yield ApiClient(url.rstrip("/"), gateway)
        except GatewayUnavailable as error:
            fail(Exit.UNAVAILABLE, str(error))
        except RequestRejected as rejection:
            fail(Exit.FAILED, str(rejection))


def _text_of(problem: GatewayProblem) -> str:
    if not problem.is_of_the_api:
        return f"{problem.status}: the response is not from a gateway"
    title, detail = problem.title.rstrip("."), problem.detail
    says = detail if detail.startswith(title) else f"{title}. {detail}"
    return f"{problem.status}: {says}" + "".join(f"\n  {fault.where}: {fault.expected}" for fault in problem.faults)


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
