"""The HTTP server: uvicorn's parser with bounds for the head of a request, and a time limit for every state.

    connect → NEW → HEAD → SERVING → IDLE → HEAD …           CLOSING ← any state that ends
                              └→ DRAINING → CLOSING          DRAINING ← a rejected head
                                                             LEAVING ← NEW, IDLE when the server stops; → HEAD

    state     begins with                          ends with                  clock             then
    new       the connection                       the first byte of a head   head_seconds      close
    head      the first byte of a head             the end of the head        head_seconds      close
    serving   the end of a head                    the end of the response    RequestDeadline   408 or 504
    idle      the end of a response                the first byte of a head   idle_seconds      close
    leaving   the stop of the server               the first byte of a head   keepalive_seconds close
    draining  the end of the last response, while  the client's end           drain_seconds     close
              a part of the input is unread
    closing   the decision to close                an empty buffer            write_seconds     abort

`RequestDeadline` covers the body and ends when the response starts. An event stream bounds its own life. In every state
`write_seconds` bounds the time in which a client does not read. `Connections.sweep` watches the clocks.

A server that closes a kept connection at the moment of its stop may meet a request that is on its way, and the caller
would not know whether it was read. So a stopping server answers on it for some seconds, with `Connection: close`.

A head that breaks the grammar or exceeds a bound gets a problem and closes the connection, after the response of an
earlier request. So does a response to an unread body. A client that only closes its sending side gets its responses.

Requests that arrive before the response of an earlier one wait, and nothing more is read until none waits. One read can
hold ten thousand requests, so a client that sends more than `pipelined_requests` at a time loses its connection.

This module and `response_cycle` have every use of uvicorn's undocumented members, all of `HttpToolsProtocol` and its
`RequestResponseCycle`. They were checked against uvicorn 0.54.0: tests/unit/runtime/http_server/test_server.py fails
when an upgrade changes them.
"""

import asyncio
import math
import secrets
import socket
from collections import deque
from typing import Any, ClassVar
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from runtime.http_server.connections import ConnectionState, network_of
from runtime.http_server.port import Port
from runtime.http_server.port_problems import Unreadable
from runtime.http_server.problem import Problem
from runtime.http_server.request_head import head_problem, size_problem, too_large
from runtime.http_server.response_cycle import ResponseCycle, ResponseWriter

_ENDING = frozenset((ConnectionState.DRAINING, ConnectionState.CLOSING))
_WAITING = frozenset((ConnectionState.NEW, ConnectionState.IDLE))
_TOO_MANY = "Send at most {} requests on a connection before the first of them is answered."


class PipelineFlow(FlowControl):
    """uvicorn's flow control, which reads nothing while a request waits for the response of an earlier one."""

    def __init__(self, transport: asyncio.Transport, pipeline: deque[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read again, unless a request waits."""
        if not self._pipeline:
            super().resume_reading()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. The shared parts are class attributes, because uvicorn creates the instances."""

    port: ClassVar[Port]

    state = ConnectionState.NEW
    entered_at = 0.0
    write_paused_at = math.inf
    is_known = False
    was_spared = False
    _served: ResponseCycle | None = None
    _in_head = False
    _is_unreadable = False
    _is_last_request = False
    _unparsed_bytes = 0

    @property
    def peer(self) -> str:
        """The peer's network: its IPv4 address, or the /64 of its IPv6 address."""
        return "" if self.client is None else network_of(self.client[0])

    @property
    def is_receiving(self) -> bool:
        """Whether a part of the current request's body has not arrived."""
        return self._served is not None and self._served.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, unless there are too many."""
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        self.limits = self.port.connections.limits
        self._writer = ResponseWriter(transport, self._end_response, self.port.response_lines)
        self.parser.set_dangerous_leniencies(lenient_version=True)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            ms = round(self.limits.write_seconds * 1_000)  # bounds the bytes that a close leaves in the kernel
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ms)
        self._enter(ConnectionState.NEW)
        if problem := self.port.connections.add(self, self.entered_at):
            self._reject(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection, and notify the request that is being served."""
        self.port.connections.remove(self)
        self.pipeline.clear()
        if self._served is not None and not self._served.response_complete:
            self._served.disconnect()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the clock of a client that does not read."""
        super().pause_writing()
        self.write_paused_at = self.loop.time()

    def resume_writing(self) -> None:
        """Stop the clock of a client that reads again."""
        self.write_paused_at = math.inf
        self.was_spared = False
        super().resume_writing()

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio's own type; uvicorn's is narrower
        """Serve the complete requests of a client that has closed its sending side. Return whether there are any."""
        served = self._served
        if self.state is not ConnectionState.SERVING or served is None or served.more_body:
            self._enter(ConnectionState.CLOSING)
            return False
        if self.cycle.more_body:
            self.pipeline.popleft()
        cycles = [served, *(cycle for cycle, _ in reversed(self.pipeline))]
        self._in_head = False
        self.cycle = cycles[-1]
        self.cycle.keep_alive = False
        for cycle in cycles:
            cycle.half_close()
        return True

    def data_received(self, data: bytes) -> None:
        """Feed the parser. Reject malformed and oversized heads and trailers."""
        if self._is_unreadable or self.state in _ENDING:
            return
        self._unparsed_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the server has no other protocol, so it serves the request as HTTP/1.1
        except httptools.HttpParserError as error:
            rejected = error.__context__ if isinstance(error.__context__, Problem) else error.__cause__
            malformed = Unreadable("Send well-formed HTTP/1.1.", close=True)
            self._reject(rejected if isinstance(rejected, Problem) else malformed)
            return
        problem = size_problem(self.limits, self.url, self.headers) if self._in_head else None
        if problem is None and self._unparsed_bytes > self.limits.head_bytes:
            problem = too_large(self.limits)
        if problem is not None:
            self._reject(problem)

    def on_message_begin(self) -> None:
        """Start the clock of the head, unless an earlier request is being served."""
        super().on_message_begin()
        self._in_head = True
        if self.state is not ConnectionState.SERVING:
            self._enter(ConnectionState.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. A trailer is not a header (RFC 9110 section 6.5.1) and is dropped."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the head. Start the request, or let it wait for earlier requests."""
        self._in_head = False
        self._unparsed_bytes = 0
        version, scope = self.parser.get_http_version(), self.scope
        if problem := head_problem(self.limits, version, self.url, self.headers):
            raise problem
        if len(self.pipeline) == self.limits.pipelined_requests:
            raise Unreadable(_TOO_MANY.format(self.limits.pipelined_requests), close=True)
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        if "%" in path:
            # An encoded slash belongs to a segment (RFC 3986 section 2.2), so it stays encoded.
            path = unquote(path.replace("%2F", "%252F").replace("%2f", "%252f"))
        scope["method"], scope["http_version"] = self.parser.get_method().decode("ascii"), version
        scope["path"], scope["raw_path"], scope["query_string"] = path, url.path, url.query or b""
        self.cycle = ResponseCycle(
            scope=scope,
            transport=self._writer,  # type: ignore[arg-type] # the three methods that the cycle uses
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and not self._is_last_request and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if self.state is ConnectionState.SERVING:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self.state = ConnectionState.SERVING
            self._start(self.cycle)

    def on_chunk_header(self) -> None:
        """Restart the count of bytes for the trailers."""
        self._unparsed_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Start the next request, or wait for it."""
        self.server_state.total_requests += 1
        if self.state in _ENDING or self.transport.is_closing():
            return
        if not self.is_known and self._served is not None:
            self.is_known = self.port.is_known(self._served.scope)
        if self.pipeline:
            self._start(self.pipeline.pop()[0])
        else:
            self._enter(ConnectionState.HEAD if self._in_head else ConnectionState.IDLE)
        self.flow.resume_reading()

    def shutdown(self) -> None:
        """Close the connection after the requests that are being served, or after one that comes in a few seconds."""
        self._is_last_request = True
        if self.state is ConnectionState.SERVING:
            super().shutdown()
        elif self.state in _WAITING:
            self._enter(ConnectionState.LEAVING)

    def close(self) -> None:
        """Close the connection after the bytes in its buffer."""
        if self.state is not ConnectionState.CLOSING:
            self._enter(ConnectionState.CLOSING)
        self.transport.close()

    def abort(self) -> None:
        """Close the connection immediately."""
        self.transport.abort()

    def _enter(self, state: ConnectionState) -> None:
        self.state = state
        self.was_spared = False
        self.entered_at = self.loop.time()

    def _start(self, cycle: Any) -> None:
        self._served = cycle
        self._start_asgi_task(cycle, self.app)

    def _end_response(self) -> None:
        """Close after the last response. With unread input, in stages (RFC 9112 section 9.6): a reset would lose it."""
        if self.state in _ENDING:
            return
        is_unread = self._is_unreadable or self._in_head or bool(self.pipeline) or self.cycle.more_body
        self.pipeline.clear()
        if is_unread and self.port.connections.may_drain and not self.transport.is_closing():
            self._enter(ConnectionState.DRAINING)
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.close()

    def _reject(self, problem: Problem) -> None:
        request_id = secrets.token_hex(8)
        self.port.on_rejected(problem, request_id)
        self._is_unreadable = True
        served = self._served
        if served is not None and self.state is ConnectionState.SERVING:
            if not served.more_body:
                # An earlier request is being served. It gets its response, and then the connection is closed.
                self.pipeline.clear()
                self.cycle = served
                served.keep_alive = False
                return
            served.disconnect()  # the malformed bytes belong to the body that is being read
            if served.response_started:
                self.close()
                return
        self.transport.write(STATUS_LINE[problem.status] + self.port.reject(problem, request_id))
        self._end_response()


def limited_protocol(port: Port) -> type[LimitedProtocol]:
    """Return the protocol class of a port."""
    return type("ConfiguredProtocol", (LimitedProtocol,), {"port": port})
