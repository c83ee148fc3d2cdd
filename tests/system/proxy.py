"""A proxy of a test in front of a server, which the test can cut."""

import asyncio
import contextlib


class Proxy:
    """Passes bytes from a port of this machine to an address. Use it with `async with`."""

    def __init__(self, port, address):
        self._port, self._address = port, address.split(":")
        self._server = None
        self._tasks = set()
        self._passes = asyncio.Event()
        self._passes.set()

    async def __aenter__(self):
        await self.mend()
        return self

    async def __aexit__(self, *_):
        await self.refuse()

    async def mend(self):
        """Let all bytes pass, and accept connections."""
        self._passes.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def refuse(self):
        """Close each connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def silence(self):
        """Pass no byte; keep each connection open."""
        self._passes.clear()

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        upstream = None
        try:
            with contextlib.suppress(OSError):
                source, upstream = await asyncio.open_connection(*self._address)
                await asyncio.gather(self._pipe(reader, upstream), self._pipe(source, writer))
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()

    async def _pipe(self, reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1 << 16):
                await self._passes.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()
