# Made by `make docs` from asynchronous/sender.py; don't edit.
"""Sends calls: the tries of one call, and the wait for a command's outcome."""

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

from collate_gateway_client.calls import Call, prefer_wait, read
from collate_gateway_client.credentials import Signer
from collate_gateway_client.errors import GatewayError, GatewayProblem, NotAnswered, NotFinished, problem_of
from collate_gateway_client.retries import RETRIED_STATUSES, Backoff, RetryPolicy
from collate_gateway_client.synchronous.authorize import Credential, authorization
from collate_gateway_client.version import VERSION

MOST_BYTES: Final = 16 << 20
# The gateway answers a waiting request within two seconds of its wait.
WAIT_MARGIN_SECONDS: Final = 5.0
FIRST_POLL_SECONDS: Final = 0.25
LONGEST_POLL_SECONDS: Final = 2.0

log = logging.getLogger("collate_gateway_client")


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx with its JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class _Unreadable(Exception):
    """A 2xx whose body is not whole, not JSON or too large."""


class Sender:
    """Sends calls with one credential to one gateway."""

    def __init__(self, base_url: str, credential: Credential, retries: RetryPolicy, http: httpx.Client | None) -> None:
        """Raises ValueError for a URL that is not http(s)://host."""
        url = httpx.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
            raise ValueError("the address of the gateway has to be https://host, without a user")
        self.base_url = base_url.rstrip("/")
        self.retries = retries
        self._credential = credential
        self._owns_http = http is None
        self._http = httpx.Client() if http is None else http

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless the HTTP client is the program's own."""
        if self._owns_http:
            self._http.close()

    def send(self, call: Call, *, ends_at: float | None = None, wait_until: float | None = None) -> Answer:
        """Send a call until it has a result, or until `ends_at` (monotonic; default: the policy's deadline).

        With `wait_until` each try asks the gateway to wait for the outcome, until that time.
        """
        ends_at = time.monotonic() + self.retries.deadline_seconds if ends_at is None else ends_at
        backoff = Backoff(self.retries.first_pause_seconds, self.retries.longest_pause_seconds)
        is_unknown = False
        while True:
            failure = self._result(call, ends_at, wait_until)
            if isinstance(failure, Answer):
                return failure
            failure.idempotency_key, failure.earlier_try_is_unknown = call.idempotency_key, is_unknown
            is_unknown = failure.result_is_unknown
            after = failure.retry_after_seconds if isinstance(failure, GatewayProblem) else None
            pause = backoff.pause(random.random(), after)  # noqa: S311 -- a pause is no secret
            if not is_retried(failure) or time.monotonic() + pause >= ends_at:
                raise failure
            log.info(
                "The next try of %s %s is in %.1f s, after %s", call.method, call.path, pause, type(failure).__name__
            )
            time.sleep(pause)

    def _result(self, call: Call, ends_at: float, wait_until: float | None) -> Answer | GatewayProblem | NotAnswered:
        try:
            return self._try(call, ends_at, wait_until)
        except (httpx.RequestError, _Unreadable) as error:
            return failure_of(error, call)

    def command(self, call: Call) -> Any:
        """Send a command and return the document of the 202."""
        return (self.send(call)).body

    def outcome(self, call: Call, wait_seconds: float) -> Any:
        """Send a command and return its outcome. Raises NotFinished after `wait_seconds`, and for a dead letter."""
        wait_until = time.monotonic() + wait_seconds
        ends_at = max(wait_until, time.monotonic() + self.retries.deadline_seconds)
        answer = self.send(call, ends_at=ends_at, wait_until=wait_until)
        pause = FIRST_POLL_SECONDS
        while answer.body.get("status") != "finished":
            left = wait_until - time.monotonic()
            if answer.body.get("status") == "dead_lettered" or left <= 0:
                raise NotFinished(answer.body, call.idempotency_key)
            time.sleep(min(pause, left))
            pause = min(LONGEST_POLL_SECONDS, pause * 1.5)
            answer = self._poll(call, answer, wait_until)
        return answer.body

    def _poll(self, call: Call, last: Answer, wait_until: float) -> Answer:
        """Return the command's next status. Without a response, return the last status."""
        location = status_path(last.headers.get("location", ""))
        try:
            if location is None or isinstance(self._credential, Signer):
                return self.send(call, ends_at=wait_until, wait_until=wait_until)
            answer = self.send(read(location), ends_at=wait_until)
        except GatewayError as error:
            if is_retried(error):
                return last
            raise
        return Answer(answer.status, {"location": location}, answer.body)

    def open_stream(self, call: Call, headers: Mapping[str, str], silence_seconds: float) -> httpx.Response:
        """Send a call and return the open response. Raises httpx.RequestError, and ValueError for the credential."""
        own = {"accept": "text/event-stream", "accept-encoding": "identity", "cache-control": "no-cache"}
        signed = authorization(self._credential)
        timeout = httpx.Timeout(self.retries.attempt_seconds, read=silence_seconds)
        return self._send(call, call.target, own | signed | dict(headers), timeout)

    def refusal(self, response: httpx.Response) -> GatewayProblem:
        """Return the problem in an open response without 2xx, and close it. Raises httpx.RequestError."""
        try:
            content = _content(response, time.monotonic() + self.retries.attempt_seconds)
        finally:
            response.close()
        return problem_of(response.status_code, response.headers, content)

    def _try(self, call: Call, ends_at: float, wait_until: float | None) -> Answer | GatewayProblem:
        headers, silence = call.headers(), self.retries.attempt_seconds
        if wait_until is not None and (prefer := prefer_wait(wait_until - time.monotonic())):
            headers |= prefer
            silence += float(prefer["prefer"].removeprefix("wait=")) + WAIT_MARGIN_SECONDS
        target = call.target
        if isinstance(self._credential, Signer) and call.message_id is not None and call.body is not None:
            target = f"{call.path}?{self._credential.query}"
            headers |= self._credential.headers(call.message_id, call.body, time.time())
        else:
            headers |= authorization(self._credential)
        timeout = httpx.Timeout(max(0.05, min(silence, ends_at - time.monotonic())))
        response = self._send(call, target, headers, timeout)
        if not response.is_success:
            return self.refusal(response)
        try:
            return Answer(response.status_code, response.headers, _json(_content(response, ends_at)))
        finally:
            response.close()

    def _send(self, call: Call, target: str, headers: Mapping[str, str], timeout: httpx.Timeout) -> httpx.Response:
        own = {"user-agent": f"collate-gateway-client/{VERSION}"}
        request = self._http.build_request(
            call.method,
            self.base_url + target,
            content=call.body,
            headers=own | dict(headers),
            timeout=timeout,
            extensions={"trace": _close_failed_tls()},
        )
        return self._http.send(request, stream=True, follow_redirects=False)


def _close_failed_tls() -> Callable[[str, dict[str, Any]], Any]:
    """Return a trace that closes the socket of a cancelled TLS handshake; httpcore closes it only for an Exception."""
    stream: Any = None

    def trace(event: str, info: dict[str, Any]) -> None:
        nonlocal stream
        if event.endswith("connect_tcp.complete"):
            stream = info["return_value"]
        elif event.endswith("start_tls.failed"):
            stream.close()

    return trace


def status_path(location: str) -> str | None:
    """Return the path of a command's status in a Location. A proxy may have prepended an address."""
    at = location.find("/v1/commands/")
    return None if at < 0 else location[at:]


def is_retried(error: GatewayError) -> bool:
    """Return whether another try may have another result."""
    return isinstance(error, NotAnswered) or (isinstance(error, GatewayProblem) and error.status in RETRIED_STATUSES)


def failure_of(error: Exception, call: Call) -> NotAnswered:
    """Return the failure of a try, with the name of the error only: HTTP libraries quote headers."""
    return NotAnswered(f"no answer to {call.method} {call.path}: {type(error).__name__.lstrip('_')}")


def _content(response: httpx.Response, ends_at: float) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MOST_BYTES or time.monotonic() > ends_at:
            raise _Unreadable
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise _Unreadable from None
