"""A webhook receiver that checks signature, order and gaps, for tests and clusters of this machine."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self, TypeAlias

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.judge.deliveries import Deliveries, Numbered, compare
from schemas.cloudevents import STRUCTURED


@dataclass
class Received:
    """One request as the receiver saw it."""

    event_id: str
    authorization: str
    sequence: int
    type: str
    at: float
    path: str
    headers: dict[str, str]
    answered: int | None = None

    @property
    def was_accepted(self) -> bool:
        """Whether the receiver answered with a 2xx."""
        return self.answered is not None and 200 <= self.answered < 300


@dataclass
class Reply:
    """The receiver's response; `raw` replaces all of it; `hangs` sends nothing until the connection ends."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    raw: bytes | None = None
    hangs: bool = False


Behave: TypeAlias = Callable[[Received], Reply]


def always(reply: Reply) -> Behave:
    """Return a behaviour that gives each request the same reply."""
    return lambda _: reply


class Receiver:
    """A real HTTP server. It checks signature and headers; `behave` chooses the reply of each request."""

    def __init__(self, secret: str, behave: Behave | None = None, host: str = "127.0.0.1") -> None:
        self.secret, self.host, self.port = secret, host, 0
        self.webhook = Webhook(secret)
        self.behave = behave or always(Reply())
        self.requests: list[Received] = []
        self.bad: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on a free port, or again on the port of before."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End the server and its connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    @property
    def url(self) -> str:
        """The address for the subscription, with a query that no log may show."""
        return f"http://{self.host}:{self.port}/hook?token=s3cret"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if (task := asyncio.current_task()) is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while await self._respond(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")[:-2]
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        try:
            event = self._verified(first, pairs, headers, body)
        except (ValueError, WebhookVerificationError, KeyError) as problem:
            self.bad.append(f"{type(problem).__name__}: {problem}")
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            return True
        received = Received(
            event["id"], event["subject"], int(event["sequence"]), event["type"], time.time(), first.split()[1], headers
        )
        self.requests.append(received)
        reply = self.behave(received)
        if reply.hangs:
            await reader.read()
            return False
        if reply.seconds:
            await asyncio.sleep(reply.seconds)
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            return False
        received.answered = reply.status
        lines = [f"HTTP/1.1 {reply.status} X", f"content-length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join((*lines, "", "")).encode() + reply.body)
        await writer.drain()
        return True

    def _verified(self, first: str, pairs: list[list[str]], headers: dict[str, str], body: bytes) -> dict[str, str]:
        event: dict[str, str] = self.webhook.verify(body, headers)
        method, _, version = first.split(" ")
        is_right = (
            (method, version, headers["content-type"]) == ("POST", "HTTP/1.1", STRUCTURED)
            and (event["id"], event["specversion"]) == (headers["webhook-id"], "1.0")
            and len(headers) == len(pairs)
        )
        if not is_right:
            raise ValueError(f"{first}, {event['id']}, {pairs}")
        return event

    @property
    def accepted(self) -> list[Received]:
        """The requests that got a 2xx."""
        return [request for request in self.requests if request.was_accepted]

    def verdict(self, sent: Iterable[Numbered], *, gaps: Iterable[Numbered] = ()) -> Deliveries:
        """Compare what was accepted with what was sent. `gaps`: (authorization, sequence) that may be missing."""
        return compare([(request.authorization, request.sequence) for request in self.accepted], sent, gaps)

    def broken(self, sent: Iterable[Numbered]) -> list[str]:
        """Say what is lost, out of order or badly signed."""
        found = self.verdict(sent)
        return [
            *(f"the receiver did not get event {number} of {authorization}" for authorization, number in found.lost),
            *(
                f"the receiver got events out of order: {authorization}: {after} after {before}"
                for authorization, before, after in found.out_of_order
            ),
            *self.bad,
        ]
