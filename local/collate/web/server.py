"""The simulated Collate on real sockets: a public listener, and a control listener that stays open during an outage."""

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
    """`async with SimulatedCollate() as sim:` serves on free ports: `sim.url`, `sim.control_url`, `sim.state`."""

    def __init__(
        self, options: Options | None = None, *, host: str = "127.0.0.1", port: int = 0, control_port: int = 0
    ) -> None:
        super().__init__(options or Options())
        self._host = host
        self._ports = (port, control_port)
        self._connections: set[Connection] = set()
        self._public: asyncio.Server | None = None
        self._control: asyncio.Server | None = None
        self._control_connections: set[Connection] = set()
        self._outage_timer: asyncio.TimerHandle | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL of the public API."""
        return f"http://{self._host}:{self._ports[0]}"

    @property
    def control_url(self) -> str:
        """The URL of the control API. Except during an outage, the API is under `url` too."""
        return f"http://{self._host}:{self._ports[1]}{_CONTROL}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open both listeners."""
        self._public = await self._listen(self._ports[0], self._connections)
        self._control = await self._listen(self._ports[1], self._control_connections)
        self._ports = (_port(self._public), _port(self._control))
        self.set_base_url(self.url)

    async def stop(self) -> None:
        """Close both listeners and every connection."""
        if self._outage_timer is not None:
            self._outage_timer.cancel()
        if self._reopening is not None:
            await self._reopening
        for server in (self._public, self._control):
            if server is not None:
                server.close()
        # The loop needs three iterations to add a connection that it has just accepted, and one more to close it.
        for _ in range(5):
            self._drop(self._connections)
            self._drop(self._control_connections)
            await asyncio.sleep(0)

    def begin_outage(self, seconds: float | None = None) -> None:
        """Refuse connections and reset open ones, for some seconds of real time or until `end_outage`."""
        if self._public is not None:
            self._public.close()
            self._public = None
        self._drop(self._connections)
        if seconds is not None:
            self._outage_timer = asyncio.get_running_loop().call_later(seconds, self.end_outage)

    def end_outage(self) -> None:
        """Listen again, on the same port."""
        if self._outage_timer is not None:
            self._outage_timer.cancel()
            self._outage_timer = None
        if self._public is None and (self._reopening is None or self._reopening.done()):
            self._reopening = asyncio.get_running_loop().create_task(self._reopen())

    def _dispatch(self, request: Request, exchange: Exchange) -> None:
        if request.path.startswith(_CONTROL):
            exchange.reply(control.answer(self, self, request))
        else:
            self.handle(request, exchange)

    async def _reopen(self) -> None:
        self._public = await self._listen(self._ports[0], self._connections)

    async def _listen(self, port: int, connections: set[Connection]) -> asyncio.Server:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self._host, port))
        loop = asyncio.get_running_loop()
        return await loop.create_server(partial(Connection, self._dispatch, connections), sock=listening, backlog=4096)

    def _drop(self, connections: set[Connection]) -> None:
        for connection in list(connections):
            connection.reset()


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port
