"""Requests without an answer arrive later, in any order: each transaction is visible as a whole, once, and in order."""

import asyncio

import pytest
from aiokafka.errors import KafkaError, NodeNotReadyError
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.kafka.direct_transaction import DirectTransaction
from tests.unit.engine.kafka.leaders import LATE, LOST, producer_of, successor_of

LEADERS = {"events": 1, "state": 2, "authorizations": 3}
REQUESTS = ("AddPartitionsToTxn", "Produce", "EndTxn", "NewEpoch")
TRANSACTION = st.tuples(
    st.sets(st.sampled_from(sorted(LEADERS)), min_size=1),
    st.integers(1, 2),  # batches of each topic
    st.lists(
        st.tuples(st.sampled_from(REQUESTS), st.sampled_from([LATE, LATE, LOST, NodeNotReadyError()])), max_size=2
    ),
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=3
    ),  # before which request which late one arrives
)
MOST_REQUESTS, MOST_SESSIONS = 60, 4


class Broken(Exception):
    """A promise is broken."""


class Owner:
    """The owner of the id, and its successors: each begins with a new producer and reads what is visible."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.producer, self.brokers = producer_of(monkeypatch, **LEADERS)
        self.brokers.on_send = self.arrive
        self.transaction = DirectTransaction(self.producer)
        self.producers = [self.producer]
        self.requests, self.arrivals = 0, []

    def arrive(self):
        """Let the late requests of this moment arrive."""
        self.requests += 1
        if self.requests == MOST_REQUESTS:
            raise Broken("a request is repeated without an end")
        for before, index in self.arrivals:
            if before == self.requests and self.brokers.late:
                self.brokers.deliver(index % len(self.brokers.late))

    async def commit(self, number, topics, batches, faults, arrivals):
        """Commit a transaction; after a failure the successor commits it unless it is visible.

        A session may end only by a request for an epoch without an answer, or by what a late request did.
        """
        self.brokers.faults.clear()
        for request, fault in faults:
            self.brokers.faults[request].append(fault)
        self.arrivals = arrivals
        may_fail = bool(arrivals) or "NewEpoch" in dict(faults)
        for _ in range(MOST_SESSIONS):
            self.requests = 0
            try:
                await self.transaction.write(self.builders(number, topics, batches), 0)
                await self.transaction.commit()
            except (KafkaError, AssertionError, KeyError) as failure:
                if not may_fail:
                    raise Broken("a session ended without a reason") from failure
                self.producer = successor_of(self.monkeypatch, self.brokers)
                self.producers.append(self.producer)
                self.transaction = DirectTransaction(self.producer)
                if any(number == seen for of_topic in self.records().values() for seen, _ in of_topic):
                    return
            else:
                return
        raise Broken(f"transaction {number} fails again and again")

    def builders(self, number, topics, batches):
        """Make records that name their transaction and batch."""
        builders = {topic: [self.producer.create_batch() for _ in range(batches)] for topic in sorted(topics)}
        for of_topic in builders.values():
            for batch, builder in enumerate(of_topic):
                builder.append(timestamp=0, key=b"k", value=b"%d %d" % (number, batch))
        return builders

    def records(self):
        """Return what a read_committed reader sees: transaction and batch, by topic."""
        return {
            topic: [
                tuple(map(int, record.value.split()))
                for data in self.brokers.committed[topic]
                for record in DefaultRecordBatch(bytes(data))
            ]
            for topic in LEADERS
        }


async def check(transactions):
    """Commit the transactions under their faults: all are visible, as a whole, once, and in order."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))
        owner = Owner(monkeypatch)
        expected = {topic: [] for topic in LEADERS}
        try:
            for number, (topics, batches, faults, arrivals) in enumerate(transactions):
                await owner.commit(number, topics, batches, faults, arrivals)
                for topic in topics:
                    expected[topic] += [(number, batch) for batch in range(batches)]
                if owner.records() != expected:
                    raise Broken(f"visible: {owner.records()}, expected: {expected}")
            while owner.brokers.late:
                owner.brokers.deliver(0)
            if owner.records() != expected:
                raise Broken(f"visible at the end: {owner.records()}, expected: {expected}")
        finally:
            for producer in owner.producers:
                await producer.stop()


TRANSACTIONS = st.lists(TRANSACTION, min_size=2, max_size=5)


@given(TRANSACTIONS)
async def test_late_requests_change_nothing(transactions):
    await check(transactions)
