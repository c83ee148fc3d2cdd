"""The stop of a subscription, stored once for all processes: the digest of the URL that answered 410.

    start            -> `read_stop`, then no request if the digest is that of the subscription's URL
    410              -> store(digest)
    resume, new URL  -> store(None)

It is a record of partition 0 of the subscription's state topic; the newest counts. The engine skips its key.
docs/decisions/0020-deliverer.md has the reasons.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from adapters.kafka.clients import KafkaFailure, bounded_stop, idempotent_producer, sentence_of
from adapters.kafka.topic_reader import answered_within, open_reader
from adapters.webhooks.target import WebhookTarget
from consumers.engine.core.progress import HANDLER_KEY
from runtime.logs import Log
from runtime.settings import KafkaSettings

_PARTITION: Final = 0
_READ_SECONDS: Final = 60.0
_SEND_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 1.0


async def read_stop(kafka: KafkaSettings, topic: str) -> str | None:
    """Return the digest of the URL whose 410 stops the subscription; None if nothing stops it. Raises KafkaFailure."""
    newest: bytes | None = None
    # An open transaction of the partition's owner hides later records from a reader of committed records.
    async with (
        answered_within(_READ_SECONDS),
        open_reader(kafka, {_PARTITION: (topic, _PARTITION)}, is_committed=False) as reader,
    ):
        reader.seek(await reader.beginnings())
        async for _, record in reader.read_until(await reader.ends()):
            if record.key == HANDLER_KEY:
                newest = record.value
    return newest.decode("ascii", "replace") if newest else None


async def write_stop(kafka: KafkaSettings, topic: str, digest: str | None) -> None:
    """Store the stop, or with None its end. Raises KafkaFailure; the record may still be written then."""
    producer = idempotent_producer(kafka)
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            await producer.start()
            value = None if digest is None else digest.encode("ascii")
            await producer.send_and_wait(topic, value, key=HANDLER_KEY, partition=_PARTITION)
    finally:
        await bounded_stop(producer)


def url_digest(target: WebhookTarget) -> str:
    """Return a short digest of a receiver's URL, which may hold a token."""
    return hashlib.sha256(f"{target.origin}{target.path}".encode()).hexdigest()[:16]


class StoredStop:
    """Stores the newest stop, or its end, and repeats a failed write until it succeeds. Writes never overlap."""

    def __init__(self, write: Callable[[str | None], Awaitable[None]], log: Log) -> None:
        self._write = write
        self._log = log
        self._digest: str | None = None
        self._requests = 0
        self._is_requested = asyncio.Event()
        self._is_stored = asyncio.Event()

    async def store(self, digest: str | None, within_seconds: float) -> bool:
        """Store the stop, or with None its end. Return whether Kafka has it within this time."""
        self.request(digest)
        try:
            async with asyncio.timeout(within_seconds):
                await self._is_stored.wait()
        except TimeoutError:
            return False
        return True

    def request(self, digest: str | None) -> None:
        """Have `keep` store the stop, or with None its end, instead of what it has not stored yet."""
        self._digest = digest
        self._requests += 1
        self._is_stored.clear()
        self._is_requested.set()

    async def keep(self) -> None:
        """Store what is requested; never return."""
        while True:
            await self._is_requested.wait()
            number = self._requests
            try:
                await self._write(self._digest)
            except KafkaFailure as error:
                self._log.warning("deliverer.stop_not_stored", detail=sentence_of(error), wait=_RETRY_SECONDS)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if number == self._requests:
                self._is_requested.clear()
                self._is_stored.set()
