"""Requests without an answer arrive later, in any order: each transaction is visible as a whole, once, and in order."""

import asyncio
import inspect
import types

import pytest
from aiokafka.errors import KafkaError, NodeNotReadyError
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from consumers.engine.kafka import direct_transaction, transaction_requests
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

    def __init__(self, monkeypatch, direct):
        self.monkeypatch, self.direct = monkeypatch, direct
        self.producer, self.brokers = producer_of(monkeypatch, **LEADERS)
        self.brokers.on_send = self.arrive
        self.transaction = self.direct.DirectTransaction(self.producer)
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
                self.transaction = self.direct.DirectTransaction(self.producer)
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


async def check(transactions, direct=direct_transaction):
    """Commit the transactions under their faults: all are visible, as a whole, once, and in order."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))
        owner = Owner(monkeypatch, direct)
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


SEND, REPLACE = (
    "response = await self._send_to_coordinator(request, requests.committed, may_repeat=False)",
    ("replace_epoch(self._producer, response.producer_id, response.producer_epoch)"),
)
ROUNDS, RAISE = "zip_longest(*batches.values()):", "if not may_repeat or not requests.is_retriable(failure):"
COMMIT = "if self._targets:\n            await self._send_to_coordinator(requests.commit(self.identity)"
PLANTED = {
    "the epoch goes on": ("if self._unanswered is not None:", "if False:"),
    "the epoch goes on after a lost EndTxn": (
        "if requests.may_arrive(failure):",
        "if requests.may_arrive(failure) and type(request).__name__ != 'EndTxnRequest':",
    ),
    "only a request that was never sent ends the epoch": (
        "requests.may_arrive(failure):",
        "not requests.may_arrive(failure):",
    ),
    "the old epoch is kept": (REPLACE, REPLACE.replace("epoch)", "epoch - 1)")),
    "a wrong epoch is taken": (REPLACE, REPLACE.replace("epoch)", "epoch + 1)")),
    "sequence numbers continue": (
        REPLACE,
        (
            "manager = self._producer._txn_manager; "
            "manager._pid_and_epoch = manager._pid_and_epoch._replace(epoch=response.producer_epoch)"
        ),
    ),
    "the epoch is replaced before the commit": (
        COMMIT,
        "if self._unanswered is not None:\n            await self._replace_epoch(self._unanswered)\n        " + COMMIT,
    ),
    "a new epoch without an answer is taken for granted": (
        SEND,
        f"try:\n            {SEND}\n        except KafkaError:\n            self._unanswered = None; return",
    ),
    "the identity of the first transaction is kept": (
        "self.identity = begin_transaction(self._producer)",
        "identity = begin_transaction(self._producer); self.identity = getattr(self, 'identity', identity)",
    ),
    "the second batch of a topic is dropped": (ROUNDS, "list(zip_longest(*batches.values()))[:1]:"),
    "batches are written in reverse": (ROUNDS, "list(zip_longest(*batches.values()))[::-1]:"),
    "one topic is written": ("if batch is not None], is", "if batch is not None][:1], is"),
    "a lost Produce counts as written": (
        "batches = result.unwritten",
        "batches = () if isinstance(cause, Exception) else result.unwritten",
    ),
    "a lost EndTxn counts as committed": (
        RAISE,
        "if type(request).__name__ == 'EndTxnRequest':\n                    return None\n                " + RAISE,
    ),
    "a lost AddPartitionsToTxn counts as added": (
        RAISE,
        "if 'AddPartitions' in type(request).__name__:\n                    return None\n                " + RAISE,
    ),
    "one partition is added": (
        "requests.add_partitions(self.identity, targets)",
        "requests.add_partitions(self.identity, targets[:1])",
    ),
    "nothing is repeated": ("may_repeat: bool = True", "may_repeat: bool = False"),
    "a transaction never ends": ("        end_transaction(self._producer)\n", "        pass\n"),
    "the transaction is aborted": ("transaction_result=True", "transaction_result=False"),
    "a broken connection is final": (
        "if not isinstance(failure, KafkaError):\n        return True\n    return bool(",
        "return not bool(",
    ),
}


def planted(old, new):
    """Return the module of the transaction with a bug in it or in the module of its requests."""
    sources = {module: inspect.getsource(module) for module in (direct_transaction, transaction_requests)}
    assert sum(source.count(old) for source in sources.values()) == 1
    copies = {}
    for module, source in sources.items():
        copies[module] = copy = types.ModuleType(module.__name__)
        copy.__dict__["__package__"] = module.__package__
        exec(compile(source.replace(old, new), module.__file__, "exec"), copy.__dict__)
    direct = copies[direct_transaction]
    direct.requests = copies[transaction_requests]
    direct.Reaction, direct.PartitionBatch = direct.requests.Reaction, direct.requests.PartitionBatch
    return direct


@pytest.mark.skipif(settings().max_examples < 60, reason="`make test` has the examples to find them")
@pytest.mark.parametrize("bug", PLANTED)
def test_the_model_finds(bug):
    direct = planted(*PLANTED[bug])

    def is_broken(transactions):
        try:
            asyncio.run(check(transactions, direct))
        except Broken:
            return True
        return False

    few = settings(
        max_examples=500,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        find(TRANSACTIONS, is_broken, settings=few)
    except NoSuchExample:
        pytest.fail(f"500 examples do not find: {bug}")
