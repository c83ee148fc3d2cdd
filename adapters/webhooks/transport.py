"""Connections to one webhook receiver: POST, once, to an address that was checked.

    resolve -> check every address -> connect to a checked address -> TLS and Host with the URL's name -> POST

It connects to the address that it checked, so a name whose address changes in between (DNS rebinding) has no effect. It
follows no redirect, uses no proxy, keeps no cookie, and discards the response's body.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import Connection, Limits, NoResponse
from adapters.http_connection.kept_connections import KeptConnections
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.resolver import Resolver
from adapters.webhooks.target import WebhookTarget
from runtime.http_client import client_tls
from runtime.version import VERSION

_MOST_ADDRESSES: Final = 4
# A receiver may close an idle connection at the moment of the next request. That is no failure of the receiver.
_CLOSED_WHILE_IDLE: Final = frozenset({Cause.RESET, Cause.CLOSED})


class AddressForbidden(NoResponse):
    """Every address of the receiver is in a network that this subscription may not call."""


class WebhookTransport:
    """Sends requests to one receiver. One event loop; close it when done."""

    def __init__(
        self,
        target: WebhookTarget,
        limits: Limits,
        policy: AddressPolicy,
        *,
        ca_file: Path | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.target = target
        self._limits = limits
        self._policy = policy
        self._tls = client_tls(ca_file) if target.is_tls else None
        self._resolver = resolver or Resolver()
        self._kept = KeptConnections()
        self._head = (
            f"POST {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nUser-Agent: collate-gateway/{VERSION}\r\n"
            "Accept: */*\r\nAccept-Encoding: identity\r\n"
        ).encode("ascii")

    async def post(self, headers: Sequence[tuple[str, str]], body: bytes) -> httpx.Response:
        """Send the request and return the response within the total deadline.

        A request on a connection that was idle is sent once more if the receiver closes that connection. Raises
        NoResponse, which says whether anything was sent.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._limits.total_seconds
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, lines.encode("ascii"), len(body), body)
        connection = self._kept.take()
        if connection is not None:
            try:
                return await self._kept.send(connection, request, ends)
            except NoResponse as failure:
                if failure.cause not in _CLOSED_WHILE_IDLE or failure.status is not None:
                    raise
        return await self._kept.send(await self._open(loop, ends), request, ends)

    async def aclose(self) -> None:
        """Close all connections; a request under way ends without a response."""
        self._resolver.close()
        await self._kept.close()

    async def _open(self, loop: asyncio.AbstractEventLoop, call_ends: float) -> Connection:
        ends = min(loop.time() + self._limits.connect_seconds, call_ends)
        failure: NoResponse = NoResponse(Cause.UNREACHABLE, sent=False)
        addresses = await self._checked_addresses(ends)
        for left in range(len(addresses), 0, -1):
            now = loop.time()
            try:
                async with asyncio.timeout_at(now + (ends - now) / left):
                    return await self._connect(loop, addresses[-left])
            except TimeoutError:
                failure = NoResponse(Cause.CONNECT_TIMEOUT, sent=False)
            except ssl.SSLError:
                failure = NoResponse(Cause.TLS, sent=False)
            except OSError as error:
                refused = isinstance(error, ConnectionRefusedError)
                failure = NoResponse(Cause.REFUSED if refused else Cause.UNREACHABLE, sent=False)
        raise failure

    async def _checked_addresses(self, ends: float) -> list[str]:
        target = self.target
        try:
            async with asyncio.timeout_at(ends):
                found = await self._resolver.addresses(target.host, target.port)
        except TimeoutError:
            raise NoResponse(Cause.CONNECT_TIMEOUT, sent=False) from None
        except OSError:
            raise NoResponse(Cause.DNS, sent=False) from None
        allowed = self._policy.allowed_of(found)
        if found and not allowed:
            raise AddressForbidden(Cause.UNREACHABLE, sent=False)
        if not allowed:
            raise NoResponse(Cause.DNS, sent=False)
        return allowed[:_MOST_ADDRESSES]

    async def _connect(self, loop: asyncio.AbstractEventLoop, address: str) -> Connection:
        """Connect to this address, never to a name."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(plain, (address, self.target.port))
            _, connection = await loop.create_connection(
                self._new, sock=plain, ssl=self._tls, server_hostname=self.target.host if self._tls else None
            )
        except BaseException:
            plain.close()
            raise
        if not connection.usable:
            raise OSError("the receiver closed the connection")
        return connection

    def _new(self) -> Connection:
        return Connection(asyncio.get_running_loop(), self._limits)
