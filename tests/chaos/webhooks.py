"""A webhook receiver that checks signature, order and gaps; a writer of events; and the deliverer as a process."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.judge.deliveries import compare
from local.subscriptions import new_secret, subscription_toml
from schemas.cloudevents import STRUCTURED
from schemas.events import HandoffOpened
from schemas.records import publish, source, write_event
from schemas.topics import catalogue, partition_for


@dataclass
class Received:
    """One request as the receiver saw it."""

    event_id: str
    authorization: str
    sequence: int
    type: str
    at: float
    path: str
    headers: dict
    answered: int | None = None

    @property
    def was_accepted(self):
        return self.answered is not None and 200 <= self.answered < 300


@dataclass
class Reply:
    """The receiver's response; `raw` replaces all of it; `hangs` sends nothing until the connection ends."""

    status: int = 204
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    raw: bytes | None = None
    hangs: bool = False


def always(reply):
    return lambda received: reply


class Receiver:
    """A real HTTP server on loopback. `behave` chooses the reply of each request."""

    def __init__(self, secret, behave=None):
        self.webhook = Webhook(secret)
        self.behave = behave or always(Reply())
        self.requests = []
        self.bad = []
        self._server = None
        self._writers = set()
        self._tasks = set()
        self.port = 0

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook?token=s3cret"

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")[:-2]
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), "a header occurs twice"
        body = await reader.readexactly(int(headers["content-length"]))
        method, path, version = first.split(" ")
        try:
            assert (method, version) == ("POST", "HTTP/1.1")
            assert headers["content-type"] == STRUCTURED
            event = self.webhook.verify(body, headers)
            assert event["id"] == headers["webhook-id"]
            assert event["specversion"] == "1.0"
        except (AssertionError, WebhookVerificationError, KeyError) as problem:
            self.bad.append(f"{type(problem).__name__}: {problem}")
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            return True
        received = Received(
            event["id"], event["subject"], int(event["sequence"]), event["type"], time.time(), path, headers
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

    @property
    def accepted(self):
        return [request for request in self.requests if request.was_accepted]

    def verdict(self, sent, *, gaps=()):
        """Compare what was accepted with what was sent. `gaps`: (authorization, sequence) that may be missing."""
        return compare([(one.authorization, one.sequence) for one in self.accepted], sent, gaps)


class EventLog:
    """Writes events to `events`, numbered per authorization, as the worker does."""

    def __init__(self, bootstrap, prefix, partitions):
        self._topic = catalogue(prefix).events.name
        self._partitions = partitions
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        self._numbers = Counter()
        self.sent = []

    async def __aenter__(self):
        await self._producer.start()
        return self

    async def __aexit__(self, *_):
        await self._producer.stop()

    async def write(self, authorization, event=None, *, count=1):
        for _ in range(count):
            self._numbers[authorization] += 1
            number = self._numbers[authorization]
            data = event or HandoffOpened.from_record(json.dumps(HandoffOpened.EXAMPLE).encode())
            headers, value = write_event(
                publish(data, authorization_id=authorization, sequence=number, life=1, time=datetime.now(UTC)),
                source("test"),
            )
            await self.append(authorization, headers, value)
            self.sent.append((authorization, number))

    async def append(self, authorization, headers, value):
        key = authorization.encode()
        await self._producer.send_and_wait(
            self._topic,
            value,
            key=key,
            headers=list(headers),
            partition=partition_for(key, self._partitions),
        )


@contextlib.contextmanager
def replaced(path, content):
    """Replace a file's content for a while, at once."""
    before = path.read_text()
    write_atomically(path, content)
    yield
    write_atomically(path, before)


def write_atomically(path, content):
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    fresh.replace(path)


class Webhooks:
    """The subscriptions file, the receivers, and the deliverer's process."""

    def __init__(self, installation, start):
        self.installation = installation
        self._start = start
        self.file = installation.directory / "subscriptions.toml"
        self.secrets = {}
        self.entries = {}
        self.file.write_text("")
        installation.change(
            {
                "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(self.file),
                "GATEWAY_DELIVERER__GROUP": f"{installation.prefix}deliverer",
            }
        )

    def secret(self, name):
        if name not in self.secrets:
            self.secrets[name] = new_secret()
            (self.installation.directory / f"webhook-{name}").write_text(self.secrets[name])
        return self.secrets[name]

    def secret_file(self, name):
        self.secret(name)
        return self.installation.directory / f"webhook-{name}"

    def subscribe(self, name, url, **options):
        """Put a subscription into the file."""
        options.setdefault("secret_files", [self.secret_file(name)])
        self.entries[name] = subscription_toml(name, url, **options)
        write_atomically(self.file, "\n".join(self.entries.values()))

    def unsubscribe(self, name):
        del self.entries[name]
        write_atomically(self.file, "\n".join(self.entries.values()))

    async def apply_topics(self):
        await asyncio.to_thread(self.installation.apply_topics)

    async def start(self, name="deliverer"):
        """Create missing topics, start the process and wait until it is ready."""
        await self.apply_topics()
        self.installation.change({"GATEWAY_DELIVERER__INSTANCE": name})
        return await self._start(self.installation, "deliverer", name)
