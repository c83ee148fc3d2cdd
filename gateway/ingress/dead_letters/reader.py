"""`dead-letters` as this process reads it: followed from its beginning into the index, and one whole letter on demand.

Commands, streams and readiness don't depend on it: while it can't be read, operators hear 503 and nobody else anything.
"""

import asyncio
import time
from collections import Counter

from adapters.kafka.clients import KafkaFailure
from gateway.ingress.dead_letters.index import DeadLetterIndex, IndexEntry
from gateway.ingress.event_stream.tail import OpenSource, Source
from runtime.health import Beat, Health
from runtime.logs import get_log
from runtime.metrics import IngressMetrics
from schemas.dead_letter import DeadLetter
from schemas.records import read_dead_letter

CALL_SECONDS = 5.0
TURN_SECONDS = 0.5
CHECK_EVERY_SECONDS = 5.0
BACKOFF_SECONDS = 2.0
FETCH_SECONDS = 10.0
MOST_FETCHES = 4

log = get_log()


class DeadLetterGone(Exception):
    """The record is not in the topic any more."""


class DeadLettersUnavailable(Exception):
    """The topic can't be read now."""


class DeadLettersBusy(Exception):
    """As many letters as may be are being fetched."""


class DeadLetterReader:
    """See the module. `run` must run as a task."""

    def __init__(self, open_source: OpenSource, partitions: int, health: Health, metrics: IngressMetrics) -> None:
        self.index = DeadLetterIndex()
        self.is_caught_up = False
        self._open_source = open_source
        self._positions = dict.fromkeys(range(partitions), 0)
        self._health = health
        self._metrics = metrics
        self._causes: set[str] = set()
        self._fetching = 0

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        beat = self._health.beat("dead letters")
        while True:
            try:
                async with self._open_source() as source:
                    source.seek(self._positions)
                    await self._follow(source, beat)
            except KafkaFailure as error:
                log.warning("dead letters unread", error=type(error).__name__)
            self.is_caught_up = False
            beat()
            await asyncio.sleep(BACKOFF_SECONDS)

    async def _follow(self, source: Source, beat: Beat) -> None:
        checked_at = 0.0
        ends: dict[int, int] = {}
        while True:
            async with asyncio.timeout(TURN_SECONDS + CALL_SECONDS):
                batches = await source.read(TURN_SECONDS)
            beat()
            for partition, records in batches.items():
                for record in records:
                    self._positions[partition] = record.offset + 1
                    if not self.index.take(partition, record.offset, tuple(record.headers), record.value):
                        log.warning("dead letter unreadable", partition=partition, offset=record.offset)
            if batches:
                self._count()
            if self.is_caught_up and time.monotonic() - checked_at < CHECK_EVERY_SECONDS:
                continue
            async with asyncio.timeout(2 * CALL_SECONDS):
                # What cannot be asked ends the turn: whoever is not sure to be at the end must not say so.
                ends = ends or await source.ends()
                positions = await source.positions()
                self._positions |= positions
                if all(positions.get(partition, 0) >= end for partition, end in ends.items()):
                    self.is_caught_up, checked_at = True, time.monotonic()
                    ends = {}
                    self._count()

    def _count(self) -> None:
        causes = Counter(entry.summary.cause for entry in self.index)
        for cause in self._causes | causes.keys():
            self._metrics.dead_letters_open.labels(cause).set(causes[cause])
        self._causes |= causes.keys()

    async def fetch(self, entry: IndexEntry) -> DeadLetter:
        """Read one letter whole; raises LetterGone, LettersAway, LettersBusy."""
        if self._fetching >= MOST_FETCHES:
            raise DeadLettersBusy
        self._fetching += 1
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._open_source() as source:
                return await self._read(source, entry)
        except KafkaFailure as error:
            raise DeadLettersUnavailable from error
        finally:
            self._fetching -= 1

    async def _read(self, source: Source, entry: IndexEntry) -> DeadLetter:
        ends = await source.ends()
        source.seek(ends | {entry.partition: entry.offset})
        while True:
            for record in (await source.read(TURN_SECONDS)).get(entry.partition, ()):
                if record.offset > entry.offset:
                    raise DeadLetterGone
                if record.offset == entry.offset:
                    letter = read_dead_letter(tuple(record.headers), record.value)
                    if isinstance(letter, DeadLetter) and letter.command_id == entry.summary.command_id:
                        return letter
                    raise DeadLetterGone
            if (await source.positions())[entry.partition] > entry.offset:
                raise DeadLetterGone
