"""The simulated Collate on a real socket."""

import asyncio
import socket
from functools import partial
from typing import Self

from local.collate import control
from local.collate.simulation import Options, Simulation
from local.collate.web.connection import Connection, Exchange
from local.collate.web.message import Request

_CONTROL = "/_sim"


class SimulatedCollate(Simulation):
    """`async with SimulatedCollate() as sim:` serves on a free port: `sim.url`, `sim.state`."""

    def __init__(self, options: Options | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(options or Options())
        self._host, self._port = host, port
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._bound: socket.socket | None = None  # in an outage: else another process could take the port
        self._outage_timer: asyncio.TimerHandle | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL of the public API, and of the control API below `/_sim`."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, and from then on always on the same port."""
        self._server = await self._listen()
        self._port = self._server.sockets[0].getsockname()[1]
        self.api.writes.base_url = self.url

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._outage_timer is not None:
            self._outage_timer.cancel()
        if self._reopening is not None:
            await self._reopening
        if self._server is not None:
            self._server.close()
        if self._bound is not None:
            self._bound.close()
        # The loop needs three iterations to add a connection that it has just accepted, and one more to close it.
        for _ in range(5):
            self._drop_connections()
            await asyncio.sleep(0)

    def begin_outage(self, seconds: float | None = None) -> None:
        """Refuse connections and reset open ones, for some seconds of real time or until `end_outage`."""
        if self._server is not None:
            self._server.close()
            self._server, self._bound = None, self._bind()
        self._drop_connections()
        if seconds is not None:
            self._outage_timer = asyncio.get_running_loop().call_later(seconds, self.end_outage)

    def end_outage(self) -> None:
        """Listen again, on the same port."""
        if self._outage_timer is not None:
            self._outage_timer.cancel()
            self._outage_timer = None
        if self._server is None and (self._reopening is None or self._reopening.done()):
            self._reopening = asyncio.get_running_loop().create_task(self._reopen())

    def _dispatch(self, request: Request, exchange: Exchange) -> None:
        if request.path.startswith(_CONTROL):
            exchange.reply(control.answer(self, request))
        else:
            self.handle(request, exchange)

    async def _reopen(self) -> None:
        self._server = await self._listen()

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((self._host, self._port))
        return bound

    async def _listen(self) -> asyncio.Server:
        listening, self._bound = self._bound or self._bind(), None
        loop = asyncio.get_running_loop()
        connection = partial(Connection, self._dispatch, self._connections)
        return await loop.create_server(connection, sock=listening, backlog=4096)

    def _drop_connections(self) -> None:
        for connection in list(self._connections):
            connection.reset()
