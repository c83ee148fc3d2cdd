"""The `dead-letters` topic: followed from its beginning into the index, and one whole dead letter on demand.

While the topic can't be read, only the operators' routes answer 503: commands, streams and readiness don't need it.
Health then shows it as degraded.
"""

import asyncio
from functools import partial

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.topic_follower import TopicFollower
from adapters.kafka.topic_reader import OpenPartitions, TopicReader
from gateway.ingress.api_http.api_problems import DeadLettersUnread
from gateway.ingress.dead_letters.index import DeadLetterIndex, IndexEntry
from gateway.ingress.shared_reads import SharedReads
from runtime.health import Health
from runtime.http_server.port_problems import Overloaded
from runtime.logs import get_log
from runtime.metrics import IngressMetrics
from schemas.dead_letter import DeadLetter
from schemas.records import TopicRecord, read_dead_letter

COMPONENT = "dead_letters"
FETCH_SECONDS = 10.0
MAX_FETCHES = 4

log = get_log()


class DeadLetterGone(Exception):
    """The topic no longer holds the record."""


class DeadLetterReader:
    """Keeps the index of open dead letters and fetches whole dead letters. `run` must run as a task."""

    def __init__(self, open_: OpenPartitions, partitions: int, health: Health, metrics: IngressMetrics) -> None:
        self.index = DeadLetterIndex()
        self._open = open_
        self._health = health
        self._metrics = metrics
        self._causes: set[str] = set()
        self._fetches = SharedReads[DeadLetter](keeps=lambda _: False)
        self._fetching = 0
        beginning = dict.fromkeys(range(partitions), 0)
        self._follower = TopicFollower(
            "dead-letters", partial(open_, beginning), self._take, positions=beginning, on_check=self._set_health
        )

    @property
    def is_caught_up(self) -> bool:
        """Whether the index holds every dead letter."""
        return self._follower.is_caught_up

    def require_caught_up(self) -> None:
        """Raise DeadLettersUnread unless the index holds every dead letter."""
        if not self.is_caught_up:
            raise DeadLettersUnread(
                "The dead letters are still being read, or Kafka is not available. Please try again in a few seconds.",
                retry_after_seconds=2,
            )

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        await self._follower.run(self._health.beat("dead letters"))

    def _take(self, partition: int, record: TopicRecord) -> None:
        if not self.index.add(partition, record.offset, tuple(record.headers), record.value):
            log.warning("ingress.dead_letter_unreadable", partition=partition, offset=record.offset)
        open_by_cause = self.index.open_by_cause
        for cause in open_by_cause.keys() - self._causes:
            self._causes.add(cause)
            self._metrics.dead_letters_open.labels(cause).set_function(partial(open_by_cause.__getitem__, cause))

    def _set_health(self, problem: str | None) -> None:
        self._health.set(COMPONENT, "ok" if problem is None else "degraded", problem or "")

    async def fetch(self, entry: IndexEntry) -> DeadLetter:
        """Read one whole dead letter; raises DeadLetterGone, DeadLettersUnread, Overloaded.

        Requests of the same time share one fetch: a page sends two.
        """
        return await self._fetches.get((entry.partition, entry.offset), lambda: self._fetch(entry))

    async def _fetch(self, entry: IndexEntry) -> DeadLetter:
        if self._fetching >= MAX_FETCHES:
            raise Overloaded("Please send the request again in a few seconds.", retry_after_seconds=1)
        self._fetching += 1
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._open([entry.partition]) as reader:
                return await _read(reader, entry)
        except KafkaFailure as error:
            raise DeadLettersUnread(
                "Nothing was changed: Kafka is not available now. Please try again in a few seconds.",
                retry_after_seconds=2,
            ) from error
        finally:
            self._fetching -= 1


async def _read(reader: TopicReader[int], entry: IndexEntry) -> DeadLetter:
    reader.seek({entry.partition: entry.offset})
    while True:
        for record in (await reader.read()).get(entry.partition, ()):
            if record.offset > entry.offset:
                raise DeadLetterGone
            if record.offset == entry.offset:
                dead_letter = read_dead_letter(tuple(record.headers), record.value)
                if isinstance(dead_letter, DeadLetter) and dead_letter.command_id == entry.summary.command_id:
                    return dead_letter
                raise DeadLetterGone
        if (await reader.positions())[entry.partition] > entry.offset:
            raise DeadLetterGone
