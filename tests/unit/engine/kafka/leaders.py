"""Brokers in memory: a coordinator, and leaders that check sequence numbers as Kafka does, with scripted faults."""

import struct
from collections import defaultdict, deque

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.transaction_manager import TransactionResult
from aiokafka.protocol.metadata import MetadataResponse_v1
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceResponse_v7
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnRequest_v0,
    AddPartitionsToTxnResponse_v0,
    EndTxnRequest,
    EndTxnRequest_v0,
    EndTxnResponse_v0,
)

NODES = (1, 2, 3)
COORDINATOR = 2
LOST = object()  # the request is executed, and its response is lost


class Leaders:
    """Instead of the client's connections. `faults[request]`: what happens to its next tries, None: nothing."""

    def __init__(self, client, **leaders):
        self.client = client
        self.leaders = leaders
        self.coordinator = COORDINATOR
        self.faults = defaultdict(deque)
        self.sent = []
        self.searches = self.refreshes = 0
        self.added = set()
        self.logs = defaultdict(list)
        self.committed = defaultdict(list)
        self._written = defaultdict(list)
        self.tell()

    def tell(self):
        """Let the client know the leaders of now."""
        topics = [(0, topic, False, [(0, 0, leader, [leader], [leader])]) for topic, leader in self.leaders.items()]
        self.client.cluster.update_metadata(
            MetadataResponse_v1([(node, f"kafka-{node}", 9092, None) for node in NODES], 1, topics)
        )

    async def coordinator_lookup(self, kind, key):
        del kind, key
        self.searches += 1
        return self.coordinator

    async def ready(self, node, *, group):
        del node, group
        return True

    def force_metadata_update(self):
        self.refreshes += 1
        self.tell()
        updated = self.client._loop.create_future()
        updated.set_result(True)
        return updated

    async def send(self, node, request, *, group=ConnectionGroup.DEFAULT):
        """Answer a request, or do what the script says: raise an error, answer with a code, lose the response."""
        name = type(request).__name__.removesuffix("Request")
        self.sent.append((name, node, group))
        fault = self.faults[name].popleft() if self.faults[name] else None
        if callable(fault):
            fault()
            fault = None
        if isinstance(fault, Exception):
            raise fault
        code = fault if isinstance(fault, int) else 0
        response = self._answer(node, request, code)
        if fault is LOST:
            raise KafkaConnectionError("the test loses the response")
        return response

    def _answer(self, node, request, code):
        if isinstance(request, ProduceRequest):
            topics = request.build(ProduceRequest_v7).topics
            return ProduceResponse_v7(
                [
                    (
                        topic,
                        [
                            (number, *((code, -1) if code else self._append(node, topic, data)), -1, 0)
                            for number, data in partitions
                        ],
                    )
                    for topic, partitions in topics
                ],
                0,
            )
        code = code or (16 if node != self.coordinator else 0)
        if isinstance(request, AddPartitionsToTxnRequest):
            topics = request.build(AddPartitionsToTxnRequest_v0).topics
            if not code:
                self.added.update(topic for topic, _ in topics)
            return AddPartitionsToTxnResponse_v0(
                0, [(topic, [(number, code) for number in partitions]) for topic, partitions in topics]
            )
        assert isinstance(request, EndTxnRequest)
        assert request.build(EndTxnRequest_v0).transaction_result == TransactionResult.COMMIT
        if not code:
            for topic in self.added:
                self.committed[topic] = list(self.logs[topic])
            self.added.clear()
        return EndTxnResponse_v0(0, code)

    def _append(self, node, topic, data):
        """Append a batch as a leader does: the next in sequence once, and one of the last five again without effect.

        Return the error's code and the batch's first offset.
        """
        if node != self.leaders[topic]:
            return 6, -1
        assert topic in self.added, "written before the partition was added to the transaction"
        producer, epoch, first, count = struct.unpack(">qhii", data[43:61])
        assert (producer, epoch) == (7, 3)
        batches = self._written[topic]
        if (first, count, data) in batches[-5:]:
            return 0, first  # one producer writes all records: offsets are sequence numbers
        expected = batches[-1][0] + batches[-1][1] if batches else 0
        if first != expected:
            return 46 if first < expected else 45, -1
        batches.append((first, count, data))
        self.logs[topic].append(data)
        return 0, first

    def expect(self, topic):
        """Return the sequence number that the topic's leader expects next."""
        first, count, _ = self._written[topic][-1]
        return first + count

    @property
    def names(self):
        """The names of all requests, in order."""
        return [name for name, _, _ in self.sent]


def producer_of(monkeypatch, **leaders):
    """Return aiokafka's producer as after its start, and the brokers that it is connected to."""
    producer = AIOKafkaProducer(transactional_id="owner")
    producer._txn_manager.set_pid_and_epoch(7, 3)
    brokers = Leaders(producer.client, **leaders)
    for name in ("send", "ready", "coordinator_lookup", "force_metadata_update"):
        monkeypatch.setattr(producer.client, name, getattr(brokers, name))
    return producer, brokers


def sequence_of(producer, topic):
    """Return the next sequence number of the producer."""
    return producer._txn_manager.sequence_number(TopicPartition(topic, 0))
