"""Reading one HTTP/1.1 answer out of bytes, within caps. Pure: bytes in, an answer or a cause out; never raises.

Surplus bytes behind the answer spoil the connection, so that they can't be taken for the next request's answer.
"""

from typing import Final

import httptools
import httpx

from adapters.collate.answers import Cause

HEAD_LIMIT: Final = 64 << 10
# The few headers that anybody here reads; the rest of Collate's are not kept.
KEPT_HEADERS: Final = frozenset({b"retry-after", b"x-request-id", b"request-id", b"date"})


class HttpResponseReader:
    """Reads one answer. `status` is known once its head is in; `reusable` once the answer is whole."""

    def __init__(self, max_body: int) -> None:
        self.status: int | None = None
        self.reusable = False
        self._max_body = max_body
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._received = self._size = 0
        self._framed = False
        self._result: httpx.Response | Cause | None = None

    def feed(self, data: bytes) -> httpx.Response | Cause | None:
        """Take what arrived; None means that more is to come."""
        before, self._received = self._received, self._received + len(data)
        # Only what came before this piece is counted against the head: a piece may hold the head and much of a body.
        # Framing may double a body in tiny chunks; beyond that somebody is wasting our time.
        if before > HEAD_LIMIT and (self.status is None or before > 2 * self._max_body + HEAD_LIMIT):
            return Cause.TOO_LARGE
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            return self._result or Cause.MALFORMED
        return self._result

    def end(self) -> httpx.Response | Cause:
        """Take the orderly end of the connection: it ends a body that says no length, and cuts short any other."""
        if self.status is not None and not self._framed:
            return self._response(self.status)
        return Cause.TRUNCATED if self._received else Cause.CLOSED

    # What the parser calls:

    def on_message_begin(self) -> None:
        """Notice an answer behind the answer."""
        if self._result is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what is read; note how the body ends."""
        if self._result is not None:
            return
        name = name.lower()
        if name in KEPT_HEADERS:
            self._headers.append((name, value))
        elif name in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """Know the status, unless it is a 1xx, which is no answer yet (RFC 9110 section 15.2)."""
        status = self._parser.get_status_code()
        if self._result is None and status >= 200:
            self.status = status

    def on_body(self, piece: bytes) -> None:
        """Collect the body up to its cap."""
        if self._result is not None:
            return
        self._size += len(piece)
        if self._size > self._max_body:
            self._result = Cause.TOO_LARGE
            self._body.clear()
        else:
            self._body.append(piece)

    def on_message_complete(self) -> None:
        """Conclude."""
        if self._result is not None:
            return
        if self.status is None:
            self._headers, self._framed = [], False
        else:
            self._result = self._response(self.status)
            self.reusable = self._parser.should_keep_alive()

    def _response(self, status: int) -> httpx.Response:
        response = httpx.Response(status, headers=self._headers, stream=httpx.ByteStream(b"".join(self._body)))
        response.read()
        return response
