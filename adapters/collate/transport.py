"""HTTP to one host: a bounded time, a bounded answer, and certainty about whether anything was sent.

Owns the connections (last in, first out) and TLS. Never retries, follows no redirect, keeps no cookie, asks no proxy,
reads no environment: what is not here can't happen. docs/decisions/0004 says why this is not httpx.
"""

import asyncio
import re
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from adapters.collate.answers import Cause
from adapters.collate.connection import Connection, Limits, NoReply
from adapters.collate.http_response import HttpResponse

_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is already percent-encoded; `headers` hold what differs from call to call."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


class Transport:
    """Sends requests to the host of `base_url` and to nowhere else. One event loop; close it when done.

    `own_delay_seconds`: how long the answer just returned by `send` lay here while this process did other things.
    """

    def __init__(self, base_url: str, limits: Limits, *, ca_file: Path | None = None, agent: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError("base_url: expected http:// or https:// and a host")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._tls = client_tls(ca_file) if parts.scheme == "https" else None
        self._limits = limits
        self._idle: deque[Connection] = deque()
        self._busy: set[Connection] = set()
        self._closed = False
        self.own_delay_seconds = 0.0
        self._constant = (
            f" HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUser-Agent: {agent}\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\n"
        )

    async def __aenter__(self) -> Self:
        """Nothing to open: connections open when they are needed."""
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.aclose()

    async def send(self, request: Request) -> HttpResponse | NoReply:
        """Send one request and return the whole answer, or why there is none, within the total deadline.

        Raises ValueError only for a request that we built wrongly. When cancelled, the request may have been sent.
        """
        data = self._encode(request)
        loop = asyncio.get_running_loop()
        call_ends = loop.time() + self._limits.total_seconds
        connection = self._take() or await self._open(loop, call_ends)
        if isinstance(connection, NoReply):
            self.own_delay_seconds = 0.0
            return connection
        self._busy.add(connection)
        try:
            answer = await connection.exchange(data, call_ends)
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        self.own_delay_seconds = loop.time() - connection.concluded_at
        self._put_back(connection)
        return answer

    async def aclose(self) -> None:
        """Drop all connections; a request under way ends as ambiguous."""
        self._closed = True
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._idle.clear()
        # Transports report their end in the loop's next rounds; leaving before that would leak them.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.is_quiet:
                return connection
            connection.close()
        return None

    def _put_back(self, connection: Connection) -> None:
        if connection.usable and not self._closed:
            self._idle.append(connection)
        while self._idle and not self._idle[0].usable:
            self._idle.popleft().close()

    async def _open(self, loop: asyncio.AbstractEventLoop, call_ends: float) -> Connection | NoReply:
        connect_ends = loop.time() + self._limits.connect_seconds
        try:
            async with asyncio.timeout_at(min(connect_ends, call_ends)):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self._limits),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except TimeoutError:
            return NoReply(Cause.CONNECT_TIMEOUT if connect_ends <= call_ends else Cause.DEADLINE, sent=False)
        except ssl.SSLError:
            return NoReply(Cause.TLS, sent=False)
        except socket.gaierror:
            return NoReply(Cause.DNS, sent=False)
        except ConnectionRefusedError:
            return NoReply(Cause.REFUSED, sent=False)
        except OSError:
            return NoReply(Cause.UNREACHABLE, sent=False)
        if not connection.usable:
            return NoReply(Cause.UNREACHABLE, sent=False)
        return connection

    def _encode(self, request: Request) -> bytes:
        head = [request.method, " ", self._prefix, request.path, self._constant]
        for name, value in request.headers:
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"header {name}: expected printable ASCII")
            head += (name, ": ", value, "\r\n")
        if request.body is None:
            head.append("\r\n")
            return "".join(head).encode("ascii")
        if request.body:
            head.append("Content-Type: application/json\r\n")
        head.append(f"Content-Length: {len(request.body)}\r\n\r\n")
        return "".join(head).encode("ascii") + request.body


def client_tls(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the certificate and the host name, TLS 1.2 or later.

    Built by hand because ssl.create_default_context() writes session keys wherever SSLKEYLOGFILE says.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context
