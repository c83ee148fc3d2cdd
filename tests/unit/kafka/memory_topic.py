"""A topic of two partitions in memory that also acts as its own reader."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class MemoryRecord:
    offset: int
    headers: tuple
    value: bytes


@dataclass
class MemoryTopic:
    """With `fails` every call raises, with `is_stuck` nothing is read, with `hides_ends` `ends` raises.

    With `holds_reads` a read does not return.
    """

    records: dict = field(default_factory=lambda: {0: [], 1: []})
    fails: bool = False
    is_stuck: bool = False
    hides_ends: bool = False
    holds_reads: bool = False
    opened: int = 0

    def append(self, partition, value=b"", headers=()):
        records = self.records[partition]
        records.append(MemoryRecord(len(records), headers, value))

    @asynccontextmanager
    async def open(self):
        self.opened += 1
        self.next = {}
        yield self

    def seek(self, positions):
        self.next = dict(positions)

    async def ends(self):
        if self.fails or self.hides_ends:
            raise ConnectionError
        return {partition: len(records) for partition, records in self.records.items()}

    async def positions(self):
        return dict(self.next)

    async def read(self):
        await (asyncio.Event().wait() if self.holds_reads else asyncio.sleep(0.001))
        if self.fails:
            raise ConnectionError
        if self.is_stuck:
            return {}
        batches = {partition: records[self.next[partition] :] for partition, records in self.records.items()}
        self.next = {partition: len(records) for partition, records in self.records.items()}
        return {partition: records for partition, records in batches.items() if records}
