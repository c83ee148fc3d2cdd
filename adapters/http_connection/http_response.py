"""Parses one HTTP/1.1 response within limits. Pure: bytes in, a response or a cause out; never raises.

Surplus bytes after a response make its connection unusable, so that no later request gets them as its response.
"""

from typing import Final

import httptools
import httpx

from adapters.http_connection.cause import Cause

HEAD_LIMIT: Final = 64 << 10
# The headers that the gateway reads; the others are dropped.
KEPT_HEADERS: Final = frozenset({b"retry-after", b"x-request-id", b"request-id", b"date"})


class HttpResponseReader:
    """Reads one response. `status` is set after its head, `reusable` after the whole response."""

    def __init__(self, max_body: int) -> None:
        self.status: int | None = None
        self.reusable = False
        self._max_body = max_body
        # It refers to this reader, so it exists while a response is read: a cycle would wait for the garbage collector.
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._received = self._size = 0
        self._framed = False
        self._result: httpx.Response | Cause | None = None

    def feed(self, data: bytes) -> httpx.Response | Cause | None:
        """Parse a piece; None means that the response is not yet whole."""
        before, self._received = self._received, self._received + len(data)
        # The limit of the head excludes this piece, because one piece may hold the head and much of the body.
        # Framing of tiny chunks may double a body; more is not accepted.
        if before > HEAD_LIMIT and (self.status is None or before > 2 * self._max_body + HEAD_LIMIT):
            return Cause.TOO_LARGE
        if self._result is not None:
            self.reusable = False
            return self._result
        self._parse(data)
        if self._result is not None:
            self._parser = None
        return self._result

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            self._result = self._result or Cause.MALFORMED

    def end(self) -> httpx.Response | Cause:
        """Handle the end of the stream: it completes a body without a length and truncates any other body."""
        if self.status is not None and not self._framed:
            return self._response(self.status)
        return Cause.TRUNCATED if self._received else Cause.CLOSED

    # Callbacks of the parser:

    def on_message_begin(self) -> None:
        """Detect a second response after the first."""
        if self._result is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header that the gateway reads; note whether the body has a length."""
        if self._result is not None:
            return
        name = name.lower()
        if name in KEPT_HEADERS:
            self._headers.append((name, value))
        elif name in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """Set the status. A 1xx is not the response yet (RFC 9110 section 15.2)."""
        if self._result is None and self._parser is not None and (status := self._parser.get_status_code()) >= 200:
            self.status = status

    def on_body(self, piece: bytes) -> None:
        """Collect the body up to its limit."""
        if self._result is not None:
            return
        self._size += len(piece)
        if self._size > self._max_body:
            self._result = Cause.TOO_LARGE
            self._body.clear()
        else:
            self._body.append(piece)

    def on_message_complete(self) -> None:
        """Complete the response, or continue after a 1xx."""
        if self._result is not None:
            return
        if self.status is None:
            self._headers, self._framed = [], False
        else:
            self._result = self._response(self.status)
            self.reusable = self._parser is not None and self._parser.should_keep_alive()

    def _response(self, status: int) -> httpx.Response:
        return httpx.Response(status, headers=self._headers, stream=httpx.ByteStream(b"".join(self._body)))
