# Made by `make docs` from asynchronous/sender.py; don't edit.
"""Sends calls: the tries of one call, the wait for a command's outcome, and raw streams."""

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import httpx

from collate_gateway_client.calls import (
    Answer,
    Call,
    UnreadableAnswer,
    failure_of,
    parsed,
    prefer_wait,
    read,
    status_path,
)
from collate_gateway_client.credentials import Signer, bearer
from collate_gateway_client.errors import GatewayError, GatewayProblem, NotAnswered, NotFinished, is_retried, problem_of
from collate_gateway_client.retries import Backoff, RetryPolicy
from collate_gateway_client.synchronous.authorize import Credential, authorization
from collate_gateway_client.version import VERSION

T = TypeVar("T")
# The gateway answers a waiting request within two seconds of its wait.
WAIT_MARGIN_SECONDS: Final = 5.0
FIRST_POLL_SECONDS: Final = 0.25
LONGEST_POLL_SECONDS: Final = 2.0

log = logging.getLogger("collate_gateway_client")
# What a peer does to a connection that it has closed in the meantime.
_LOST_CONNECTION: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_FAILED: Final = (httpx.RequestError, httpx.InvalidURL, UnreadableAnswer)


class Sender:
    """Sends calls to one gateway, with one credential unless a call has its own."""

    def __init__(
        self,
        base_url: str,
        credential: Credential | None,
        retries: RetryPolicy,
        http: httpx.Client,
        most: int,
    ) -> None:
        """`most`: the bytes of a body. Raises ValueError for a URL that is not http(s)://host."""
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
            raise ValueError("the address of the gateway has to be https://host, without a user")
        self.base_url = base_url.rstrip("/")
        self.retries = retries
        self._credential = credential
        self._http = http
        self._most_bytes = most

    def send(self, call: Call[T], *, wait_seconds: float | None = None) -> Answer[T]:
        """Send a call until it has a result, or until the policy's deadline.

        With `wait_seconds` each try asks the gateway to wait for the outcome, for this time in all.
        """
        now, waited = time.monotonic(), wait_seconds or 0.0
        return self._send_until(call, now + waited + self.retries.deadline_seconds, now + waited)

    def _send_until(self, call: Call[T], ends_at: float, wait_until: float | None = None) -> Answer[T]:
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
            if self.retries.is_none or not is_retried(failure) or time.monotonic() + pause >= ends_at:
                raise failure
            log.info("The next try of %s %s is in %.1f s: %s", call.method, call.path, pause, type(failure).__name__)
            time.sleep(pause)

    def _result(
        self, call: Call[T], ends_at: float, wait_until: float | None
    ) -> Answer[T] | GatewayProblem | NotAnswered:
        try:
            try:
                return self._try(call, ends_at, wait_until)
            except _LOST_CONNECTION:
                if not self.retries.is_none or call.method != "GET":
                    raise
                return self._try(call, ends_at, wait_until)
        except _FAILED as error:
            return failure_of(error, call)

    def outcome(self, call: Call[Any], wait_seconds: float) -> Any:
        """Send a command and return its outcome. Raises NotFinished after `wait_seconds`, and for a dead letter."""
        wait_until = time.monotonic() + wait_seconds
        ends_at = max(wait_until, time.monotonic() + self.retries.deadline_seconds)
        answer = self._send_until(call, ends_at, wait_until)
        pause = FIRST_POLL_SECONDS
        while answer.body.get("status") != "finished":
            left = wait_until - time.monotonic()
            if answer.body.get("status") == "dead_lettered" or left <= 0:
                raise NotFinished(answer.body, call.idempotency_key)
            time.sleep(min(pause, left))
            pause = min(LONGEST_POLL_SECONDS, pause * 1.5)
            answer = self._poll(call, answer, wait_until)
        return answer.body

    def _poll(self, call: Call[Any], last: Answer[Any], wait_until: float) -> Answer[Any]:
        """Return the command's next status. Without a response, return the last status."""
        location = status_path(last.headers.get("location", ""))
        try:
            if location is None or isinstance(self._credential, Signer):
                return self._send_until(call, wait_until, wait_until)
            answer = self._send_until(read(location), wait_until)
        except GatewayError as error:
            if is_retried(error):
                return last
            raise
        return replace(answer, headers={"location": location})

    @contextmanager
    def stream(self, call: Call[Any], headers: Mapping[str, str], silence: float) -> Iterator[httpx.Response]:
        """Open a response for the block. Its body is not bounded. Raises as `send`."""
        try:
            response = self.open_stream(call, headers, silence)
            refused = None if response.is_success else self.refusal(response)
        except _FAILED as error:
            raise failure_of(error, call) from None
        if refused is not None:
            raise refused
        try:
            yield response
        finally:
            response.close()

    def open_stream(self, call: Call[Any], headers: Mapping[str, str], silence_seconds: float) -> httpx.Response:
        """Send a call and return the open response. Raises httpx.RequestError, and ValueError for the credential."""
        own = {"accept": "text/event-stream", "accept-encoding": "identity", "cache-control": "no-cache"}
        timeout = httpx.Timeout(self.retries.attempt_seconds, read=silence_seconds)
        named = call.headers() | own | self._authorization(call) | dict(headers)
        return self._send(call, call.target, named, timeout)

    def refusal(self, response: httpx.Response) -> GatewayProblem:
        """Return the problem in an open response without 2xx, and close it. Raises httpx.RequestError."""
        try:
            content = self._content(response, time.monotonic() + self.retries.attempt_seconds)
        finally:
            response.close()
        return problem_of(response.status_code, response.headers, content)

    def _try(self, call: Call[T], ends_at: float, wait_until: float | None) -> Answer[T] | GatewayProblem:
        headers, silence = call.headers(), self.retries.attempt_seconds
        if wait_until is not None and (prefer := prefer_wait(wait_until - time.monotonic())):
            headers |= prefer
            silence += float(prefer["prefer"].removeprefix("wait=")) + WAIT_MARGIN_SECONDS
        target = call.target
        if isinstance(self._credential, Signer) and call.message_id is not None and call.body is not None:
            target = f"{call.path}?{self._credential.query}"
            headers |= self._credential.headers(call.message_id, call.body, time.time())
        else:
            headers |= self._authorization(call)
        timeout = httpx.Timeout(max(0.05, min(silence, ends_at - time.monotonic())))
        response = self._send(call, target, headers, timeout)
        is_unchanged = response.status_code == 304 and call.etag is not None
        if not response.is_success and not is_unchanged:
            return self.refusal(response)
        try:
            content = self._content(response, ends_at)
        finally:
            response.close()
        body = cast("T", None if is_unchanged else parsed(content))
        return Answer(response.status_code, response.headers, body, content)

    def _authorization(self, call: Call[Any]) -> dict[str, str]:
        if call.credential is not None:
            return bearer(call.credential)
        return {} if self._credential is None else authorization(self._credential)

    def _content(self, response: httpx.Response, ends_at: float) -> bytes:
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > self._most_bytes:
                raise UnreadableAnswer(f"the answer is larger than {self._most_bytes} bytes")
            if time.monotonic() > ends_at:
                raise UnreadableAnswer("the answer was not whole in time")
        return bytes(content)

    def _send(self, call: Call[Any], target: str, headers: Mapping[str, str], timeout: httpx.Timeout) -> httpx.Response:
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
