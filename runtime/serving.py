"""An HTTP server in the process's event loop, without uvicorn's signal handlers, lifespan and log lines."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from runtime.exits import StartupError


class AddressUnavailable(StartupError):
    """The process can't bind the address to listen on."""

    title = "address"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then set `listens`."""
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: `runtime.signals` has them."""
        yield


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The address of a running server, and its task, which must run until the server is stopped."""

    host: str
    port: int
    task: asyncio.Task[None]

    @property
    def url(self) -> str:
        """Return a URL that reaches the server from this machine."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}"


@asynccontextmanager
async def serving(
    app: ASGIApp, host: str, port: int, *, stop_seconds: float, **options: Any
) -> AsyncIterator[RunningServer]:
    """Serve the app inside the context. On exit, accept no connections and let requests finish within `stop_seconds`.

    Options go to uvicorn.Config. Raises AddressUnavailable if the address can't be bound.
    """
    bound = _bind(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(stop_seconds)),
        **{"http": "httptools", **options},
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name=f"http:{bound.getsockname()[1]}")
    try:
        listens = asyncio.create_task(server.listens.wait())
        await asyncio.wait({task, listens}, return_when=asyncio.FIRST_COMPLETED)
        listens.cancel()
        yield RunningServer(host, bound.getsockname()[1], task)
    finally:
        server.should_exit = True
        done, _ = await asyncio.wait({task}, timeout=stop_seconds + 2.0)
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio sets TCP_NODELAY on each connection. uvloop sets it in any case.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressUnavailable([f"can't listen on {host}:{port}: {(error.strerror or 'refused').lower()}"]) from error
    listener.setblocking(False)
    return listener
