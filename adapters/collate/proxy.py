"""An outgoing HTTP proxy: CONNECT opens a tunnel, and TLS to Collate then runs inside the tunnel.

The proxy never sees a request, a key or a response; it sees Collate's host name and port. The request is sent only
after the tunnel and TLS are open, so every failure here means that nothing was sent.
"""

import asyncio
import re
import socket
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import NoResponse
from runtime.settings import read_secret
from runtime.version import VERSION

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_END: Final = b"\r\n\r\n"
_HEAD_LIMIT: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class ProxyTunnel:
    """Opens tunnels through the proxy at `url` (http://host:port).

    `credentials_file` holds `user:password`. It is read for each tunnel, so that a new password needs no restart.
    """

    url: str
    credentials_file: Path | None = None

    async def open(self, host: str, port: int, ends: float) -> socket.socket:
        """Return a socket that is connected to the host through the proxy. Raises NoResponse.

        `ends` is the latest loop time.
        """
        request = self._connect_request(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        try:
            async with asyncio.timeout_at(ends):
                tunnel = await self._reach_proxy()
                try:
                    await _connect(tunnel, request)
                except BaseException:
                    tunnel.close()
                    raise
        except TimeoutError:
            raise NoResponse(Cause.PROXY_TIMEOUT, sent=False) from None
        return tunnel

    def _connect_request(self, target: str) -> bytes:
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: collate-gateway/{VERSION}"]
        if self.credentials_file is not None:
            try:
                credentials = read_secret(self.credentials_file).get_secret_value()
            except (OSError, UnicodeDecodeError):
                raise NoResponse(Cause.PROXY_CREDENTIALS, sent=False) from None
            lines.append(f"Proxy-Authorization: Basic {b64encode(credentials.encode()).decode()}")
        return "\r\n".join((*lines, "", "")).encode("ascii")

    async def _reach_proxy(self) -> socket.socket:
        loop, parts = asyncio.get_running_loop(), urlsplit(self.url)
        try:
            addresses = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        except OSError:
            raise NoResponse(Cause.PROXY_UNREACHABLE, sent=False) from None
        for family, kind, protocol, _, address in addresses:
            candidate = socket.socket(family, kind, protocol)
            candidate.setblocking(False)
            try:
                await loop.sock_connect(candidate, address)
            except OSError:
                candidate.close()
            except BaseException:
                candidate.close()
                raise
            else:
                return candidate
        raise NoResponse(Cause.PROXY_UNREACHABLE, sent=False)


async def _connect(tunnel: socket.socket, request: bytes) -> None:
    """Send CONNECT and read the head of the response; return if the tunnel is open. Raises NoResponse."""
    loop, head = asyncio.get_running_loop(), b""
    try:
        await loop.sock_sendall(tunnel, request)
        while _END not in head and len(head) < _HEAD_LIMIT:
            piece = await loop.sock_recv(tunnel, 4096)
            if not piece:
                break
            head += piece
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        raise NoResponse(Cause.PROXY_FAILED, sent=False) from None
    found = _STATUS.match(head)
    if found is None or _END not in head:
        raise NoResponse(Cause.PROXY_FAILED, sent=False)
    status = int(found[1])
    if status == 407:
        raise NoResponse(Cause.PROXY_CREDENTIALS, sent=False, status=status)
    if not 200 <= status < 300:
        raise NoResponse(Cause.PROXY_REFUSED, sent=False, status=status)
    # Collate sends nothing before our first bytes, so surplus bytes come from the proxy itself.
    if not head.endswith(_END):
        raise NoResponse(Cause.PROXY_FAILED, sent=False, status=status)
