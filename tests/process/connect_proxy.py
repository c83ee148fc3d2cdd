"""A CONNECT proxy, as a process of its own: `python connect_proxy.py BEHAVIOUR [USER:PASSWORD]`.

It prints its port, then one JSON line for each CONNECT, and one for each relayed piece that holds a plain `Bearer`. It
ends when its standard input does.
"""

import asyncio
import contextlib
import json
import sys
from base64 import b64encode

BODY = b'{"error":{"code":"forbidden","message":"the proxy says no"},"requestId":"req_proxy"}'
INSTEAD = {
    "hang": b"",
    "close": b"",
    "cut": b"HTTP/1.1 200 Conn",
    "garbage": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\n" + b"X-Pad: " + b"x" * 100_000,
    "surplus": b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "accept-close": b"HTTP/1.1 200 Connection established\r\n\r\n",
}


class Proxy:
    def __init__(self, behaviour, credentials):
        self.behaviour = behaviour
        self.wanted = credentials and f"Basic {b64encode(credentials.encode()).decode()}"

    async def serve(self, reader, writer):
        try:
            await self.connect(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def connect(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        method, target, _ = request.split(" ")
        print(json.dumps({"method": method, "target": target, "headers": headers}), flush=True)
        if self.wanted and headers.get("proxy-authorization") != self.wanted:
            await self.respond(writer, 407, "Proxy-Authenticate: Basic realm=x\r\n")
        elif self.behaviour.isdigit():
            await self.respond(writer, int(self.behaviour))
        elif self.behaviour in INSTEAD:
            writer.write(INSTEAD[self.behaviour])
            await writer.drain()
            if self.behaviour in {"hang", "endless"}:
                await reader.read()
        else:
            await self.relay(target, reader, writer)

    async def respond(self, writer, status, header=""):
        writer.write(f"HTTP/1.1 {status} X\r\n{header}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        await writer.drain()

    async def relay(self, target, reader, writer):
        host, _, port = target.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            await self.respond(writer, 502)
            return
        # In two pieces: a client must not count on the whole head coming at once.
        for piece in (b"HTTP/1.1 200 Connection est", b"ablished\r\nVia: 1.1 test\r\n\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        ways = [self.pump(reader, far_writer), self.pump(far_reader, writer, is_response=True)]
        await asyncio.wait([asyncio.create_task(way) for way in ways], return_when=asyncio.FIRST_COMPLETED)
        far_writer.close()

    async def pump(self, reader, writer, *, is_response=False):
        pieces = 0
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                if b"Bearer" in piece:
                    print(json.dumps({"plain": True}), flush=True)
                pieces += 1
                # The first piece of a TLS server is its handshake; what follows is a ticket or a response.
                if is_response and self.behaviour == "drop-responses" and pieces > 1:
                    return
                writer.write(piece)
                await writer.drain()


async def main(behaviour="relay", credentials=None):
    server = await asyncio.start_server(Proxy(behaviour, credentials).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
