"""Requests to one host. The transport bounds time and size, and reports whether anything was sent.

The transport owns the connections (last in, first out) and TLS. It sends each request once. It follows no redirect,
keeps no cookie, decompresses nothing and reads no environment variable. docs/decisions/0004 explains why the
gateway does not use httpx's own transport.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from adapters.collate.proxy import ProxyTunnel
from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import Connection, Limits, NoResponse
from adapters.http_connection.kept_connections import KeptConnections
from runtime.http_client import client_tls
from runtime.version import VERSION

_HEADERS: Final = f"User-Agent: collate-gateway/{VERSION}\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
_TARGET: Final = re.compile(r"/[\x21-\x7e]*")
_HEADER_LINES: Final = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e]*\r\n)*")


class CollateTransport:
    """Sends requests to the host of `base_url` and to no other host. One event loop; close it when done."""

    def __init__(
        self, base_url: str, limits: Limits, *, ca_file: Path | None = None, proxy: ProxyTunnel | None = None
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("base_url: expected http:// or https:// and a host")
        self._base_path = url.raw_path.rstrip(b"/").decode("ascii")
        self._headers = f"Host: {url.netloc.decode('ascii')}\r\n{_HEADERS}"
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = client_tls(ca_file) if url.scheme == "https" else None
        self._proxy = proxy
        self._limits = limits
        self._kept = KeptConnections()

    async def call(
        self, method: str, path: str, headers: Sequence[tuple[str, str]] = (), content: bytes | None = None
    ) -> httpx.Response:
        """Send a request once and return its response within the total deadline, whole but not `read` yet.

        `path` is below the path of `base_url` and already percent-encoded; `content` is JSON or empty. The response has
        only the few headers that the gateway reads. After a cancellation the request may have been sent.

        Raises NoResponse, which says whether anything was sent, and ValueError for an unprintable header or path.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if content is not None:
            if content:
                lines += "Content-Type: application/json\r\n"
            lines += f"Content-Length: {len(content)}\r\n"
        count = len(headers) + (2 if content else 0 if content is None else 1)
        head = _head(method, self._base_path + path, self._headers, lines, count)
        loop = asyncio.get_running_loop()
        call_ends = loop.time() + self._limits.total_seconds
        connection = self._kept.take() or await self._open(loop, call_ends)
        return await self._kept.send(connection, head + content if content else head, call_ends)

    async def aclose(self) -> None:
        """Close all connections; a request under way ends as ambiguous."""
        await self._kept.close()

    async def _open(self, loop: asyncio.AbstractEventLoop, call_ends: float) -> Connection:
        connect_ends = loop.time() + self._limits.connect_seconds
        ends = min(connect_ends, call_ends)
        tunnel = None if self._proxy is None else await self._proxy.open(self._host, self._port, ends)
        name = self._host if self._tls else None
        try:
            async with asyncio.timeout_at(ends):
                if tunnel is None:
                    _, connection = await loop.create_connection(
                        self._new, self._host, self._port, ssl=self._tls, server_hostname=name
                    )
                else:
                    _, connection = await loop.create_connection(
                        self._new, sock=tunnel, ssl=self._tls, server_hostname=name
                    )
        except TimeoutError:
            timed_out = Cause.CONNECT_TIMEOUT if connect_ends <= call_ends else Cause.DEADLINE
            raise NoResponse(timed_out, sent=False) from None
        except ssl.SSLError:
            raise NoResponse(Cause.TLS, sent=False) from None
        except OSError as error:
            if tunnel is not None:
                raise NoResponse(Cause.PROXY_FAILED, sent=False) from None
            raise NoResponse(_cause_of(error), sent=False) from None
        if not connection.usable:
            raise NoResponse(Cause.UNREACHABLE, sent=False)
        return connection

    def _new(self) -> Connection:
        return Connection(asyncio.get_running_loop(), self._limits)


def _head(method: str, target: str, ours: str, lines: str, count: int) -> bytes:
    """Return the head of a request: our header lines and `lines`, which must be exactly `count` header lines."""
    if lines.count("\r\n") != count or not _HEADER_LINES.fullmatch(lines):
        raise ValueError("request headers: expected printable ASCII")
    if not _TARGET.fullmatch(target):
        raise ValueError("request target: expected a percent-encoded path")
    return f"{method} {target} HTTP/1.1\r\n{ours}{lines}\r\n".encode("ascii")


def _cause_of(error: OSError) -> Cause:
    if isinstance(error, socket.gaierror):
        return Cause.DNS
    return Cause.REFUSED if isinstance(error, ConnectionRefusedError) else Cause.UNREACHABLE
