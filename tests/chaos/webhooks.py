"""A writer of events, and the deliverer as a process with its subscriptions file."""

import asyncio
import contextlib
import json
from collections import Counter
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from local.subscriptions import new_secret, subscription_toml
from schemas.events import HandoffOpened
from schemas.records import publish, source, write_event
from schemas.topics import catalogue, partition_for


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
