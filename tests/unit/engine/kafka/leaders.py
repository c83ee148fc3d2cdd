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

from consumers.engine.kafka.new_epoch import InitProducerIdRequestV3, InitProducerIdResponseV3, NewEpochRequest

NODES = (1, 2, 3)
COORDINATOR = 2
LOST = object()  # the request is executed, and its response is lost
LATE = object()  # the request gets no answer, and arrives when the test delivers it


class Leaders:
    """Instead of the client's connections. `faults[request]`: what happens to its next tries, None: nothing.

    The coordinator and the leaders keep the rules of Kafka's transactions of version 1: a request of another epoch is
    refused, and so is a write of a partition that is not in the transaction. `late` has the requests that got no answer
    and have not arrived: `deliver` lets one arrive.
    """

    def __init__(self, client, **leaders):
        self.client = client
        self.leaders = leaders
        self.coordinator = COORDINATOR
        self.faults = defaultdict(deque)
        self.sent = []
        self.late = []
        self.on_send = lambda: None
        self.searches = self.refreshes = 0
        self.epoch, self.epoch_before = 3, 2
        self.is_open = False  # a transaction
        self.added = set()
        self.logs = defaultdict(list)
        self.committed = defaultdict(list)
        self._open = defaultdict(list)
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
        self.on_send()
        name = type(request).__name__.removesuffix("Request")
        self.sent.append((name, node, group))
        fault = self.faults[name].popleft() if self.faults[name] else None
        if callable(fault):
            fault()
            fault = None
        if isinstance(fault, Exception):
            raise fault
        if fault is LATE:
            self.late.append((node, request))
            raise KafkaConnectionError("the test delays the request")
        code = fault if isinstance(fault, int) else 0
        response = self._answer(node, request, code)
        if fault is LOST:
            raise KafkaConnectionError("the test loses the response")
        return response

    def deliver(self, index):
        """Let a late request arrive. Its client does not get the answer."""
        self._answer(*self.late.pop(index), 0)

    def take_over(self):
        """Initialise the id for another producer, as aiokafka does: any epoch is replaced. Return the new one."""
        self._abort()
        self.epoch_before, self.epoch = -1, self.epoch + 1
        return self.epoch

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
            built = request.build(AddPartitionsToTxnRequest_v0)
            code = code or (0 if built.producer_epoch == self.epoch else 47)
            if not code:
                self.is_open = True
                self.added.update(topic for topic, _ in built.topics)
            return AddPartitionsToTxnResponse_v0(
                0, [(topic, [(number, code) for number in partitions]) for topic, partitions in built.topics]
            )
        if isinstance(request, NewEpochRequest):
            return self._new_epoch(request.build(InitProducerIdRequestV3), code)
        assert isinstance(request, EndTxnRequest)
        built = request.build(EndTxnRequest_v0)
        assert built.transaction_result == TransactionResult.COMMIT
        code = code or (0 if built.producer_epoch == self.epoch else 47)
        if not code:
            for topic in self.added:
                self.committed[topic] += self._open.pop(topic, [])
            self.added.clear()
            self.is_open = False
        return EndTxnResponse_v0(0, code)

    def _new_epoch(self, built, code):
        """Replace the named epoch; a repeat gets the same answer. An open transaction is aborted first (KIP-360)."""
        assert (built.transactional_id, built.producer_id) == ("owner", 7)
        if not code and built.producer_epoch == self.epoch:
            if self.is_open:
                self.take_over()
                code = 51
            else:
                self.epoch_before, self.epoch = self.epoch, self.epoch + 1
        elif not code and built.producer_epoch != self.epoch_before:
            code = 90
        return InitProducerIdResponseV3(0, code, 7, self.epoch, {})

    def _abort(self):
        self._open.clear()
        self.added.clear()
        self.is_open = False

    def _append(self, node, topic, data):
        """Append a batch as a leader does: the next in sequence once, and one of the last five again without effect.

        Return the error's code and the batch's first offset.
        """
        if node != self.leaders[topic]:
            return 6, -1
        producer, epoch, first, count = struct.unpack(">qhii", data[43:61])
        assert producer == 7
        batches = self._written[topic]
        offset = sum(one[2] for one in batches)
        for number, batch in enumerate(batches[-5:], max(0, len(batches) - 5)):
            if batch == (epoch, first, count, data):
                return 0, sum(one[2] for one in batches[:number])
        if epoch != self.epoch:
            return 47, -1
        if topic not in self.added:
            return 48, -1
        expected = batches[-1][1] + batches[-1][2] if batches and batches[-1][0] == epoch else 0
        if first != expected:
            return 46 if first < expected else 45, -1
        batches.append((epoch, first, count, data))
        self.logs[topic].append(data)
        self._open[topic].append(data)
        return 0, offset

    def expect(self, topic):
        """Return the sequence number that the topic's leader expects next."""
        _, first, count, _ = self._written[topic][-1]
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
    _connect(monkeypatch, producer, brokers)
    return producer, brokers


def successor_of(monkeypatch, brokers):
    """Return the producer of the id's next owner. Its InitProducerId aborts an open transaction."""
    producer = AIOKafkaProducer(transactional_id="owner")
    producer._txn_manager.set_pid_and_epoch(7, brokers.take_over())
    brokers.client = producer.client
    _connect(monkeypatch, producer, brokers)
    brokers.tell()
    return producer


def _connect(monkeypatch, producer, brokers):
    for name in ("send", "ready", "coordinator_lookup", "force_metadata_update"):
        monkeypatch.setattr(producer.client, name, getattr(brokers, name))


def sequence_of(producer, topic):
    """Return the next sequence number of the producer."""
    return producer._txn_manager.sequence_number(TopicPartition(topic, 0))
