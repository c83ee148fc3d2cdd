"""A loop that follows one topic from a position on, and reopens its reader after every failure.

    open ─▶ seek ─▶ ┌ read ─▶ take each record ─▶ compare positions with ends ─▶ ┐     failed, or behind for too long:
                    └────────────────────────────────────────────────────────────┘     close, pause, open again

Nothing is buffered: the next read waits until `take` has returned for every record. Positions stay in memory, so a
new reader continues where the last one stopped. Invariant: caught up means that within LAGGING_SECONDS every position
has passed an end that was fetched earlier.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from adapters.kafka.clients import STOP_SECONDS, KafkaFailure
from adapters.kafka.topic_reader import CALL_SECONDS, START_SECONDS, WAIT_SECONDS, OpenReader, TopicReader
from runtime.health import Beat
from runtime.logs import get_log
from schemas.records import TopicRecord

CHECK_EVERY_SECONDS = 1.0
# How long a partition may lag before the topic counts as behind, and before the reader is reopened.
LAGGING_SECONDS = 5.0
REOPEN_SECONDS = 30.0
BACKOFF_SECONDS = 1.0
# The longest waits for an unreachable Kafka between two heartbeats: the sums of the timeouts of the reader's calls.
OPENING_SECONDS = START_SECONDS + CALL_SECONDS + STOP_SECONDS
READING_SECONDS = WAIT_SECONDS + 3 * CALL_SECONDS + STOP_SECONDS

log = get_log()


class TopicFollower:
    """Passes every record of a topic to `take`, in the order of its partition. `run` must run as a task."""

    def __init__(
        self,
        topic: str,
        open_reader: OpenReader[int],
        take: Callable[[int, TopicRecord], None],
        *,
        positions: Mapping[int, int] | None,
        on_check: Callable[[str | None], None] = lambda _problem: None,
    ) -> None:
        """Begin at `positions` (next offsets by partition); None means the end of the topic when `run` starts.

        `topic` is a name for logs. `take` must be quick. `on_check` receives None when caught up, else the reason.
        """
        self.positions: dict[int, int] = dict(positions or {})
        self.is_caught_up = False
        self._topic = topic
        self._open_reader = open_reader
        self._take = take
        self._on_check = on_check
        self._problem: str | None = "not at the end of the topic yet"

    async def run(self, beat: Beat) -> None:
        """Follow the topic until cancelled; call `beat` before every wait for Kafka, with the longest duration."""
        while True:
            beat(OPENING_SECONDS)
            problem = f"behind for {REOPEN_SECONDS:g} s"
            try:
                async with self._open_reader() as reader:
                    self.positions = self.positions or await reader.ends()
                    reader.seek(self.positions)
                    beat(READING_SECONDS)
                    await self._follow(reader, beat, await self._ends(reader))
            except KafkaFailure as error:
                problem = type(error).__name__
            self._report(f"{problem}: its reader is reopened")
            beat(BACKOFF_SECONDS)
            await asyncio.sleep(BACKOFF_SECONDS)

    async def _follow(self, reader: TopicReader[int], beat: Beat, ends: dict[int, int] | None) -> None:
        """Return when the reader has been behind for REOPEN_SECONDS. `ends`: those before the first read."""
        caught_up_at = checked_at = time.monotonic()
        has_records = False
        while True:
            now = time.monotonic()
            # A request for the ends waits behind a running fetch, so it would slow down a reader that catches up.
            if not (self.is_caught_up or has_records) or now - checked_at >= CHECK_EVERY_SECONDS:
                checked_at = now
                self.positions |= await reader.positions()
                if ends is not None and all(self.positions[partition] >= end for partition, end in ends.items()):
                    caught_up_at = now
                    self._report(None)
                elif now - caught_up_at > REOPEN_SECONDS:
                    return
                elif now - caught_up_at > LAGGING_SECONDS:
                    self._report("behind the end of the topic")
                ends = await self._ends(reader)
            beat(READING_SECONDS)
            batches = await reader.read()
            for partition, records in batches.items():
                for record in records:
                    self.positions[partition] = record.offset + 1
                    self._take(partition, record)
            has_records = bool(batches)

    async def _ends(self, reader: TopicReader[int]) -> dict[int, int] | None:
        """Return the ends, or None: other partitions stay readable while one has no leader."""
        try:
            return await reader.ends()
        except KafkaFailure as error:
            log.warning("kafka.topic_ends_unknown", topic=self._topic, error=type(error).__name__)
            return None

    def _report(self, problem: str | None) -> None:
        if problem != self._problem:
            if problem is None:
                log.info("kafka.topic_caught_up", topic=self._topic)
            else:
                log.warning("kafka.topic_behind", topic=self._topic, reason=problem)
        self._problem = problem
        self.is_caught_up = problem is None
        self._on_check(problem)
