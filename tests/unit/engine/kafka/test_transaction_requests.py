"""The reaction to each of Kafka's error codes, as a table, and the bytes of the requests."""

import itertools

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CoordinatorNotAvailableError,
    DuplicateSequenceNumber,
    IncompatibleBrokerVersion,
    InvalidTxnState,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    OperationNotAttempted,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    UnknownError,
    kafka_errors,
)
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v0, ProduceResponse_v7
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest_v0,
    AddPartitionsToTxnResponse_v0,
    EndTxnRequest_v0,
    EndTxnResponse_v0,
)
from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka.aiokafka_internals import ProducerIdentity
from consumers.engine.kafka import transaction_requests as requests
from consumers.engine.kafka.transaction_requests import PartitionBatch, Produced, Reaction

IDENTITY = ProducerIdentity("owner", 7, 3)
EVENTS, STATE = TopicPartition("events", 2), TopicPartition("state", 2)
BATCHES = [PartitionBatch(EVENTS, b"e"), PartitionBatch(STATE, b"s")]
CODES = [*kafka_errors, 90, 120]
COORDINATOR = {0: Reaction.CONTINUE, 14: Reaction.RETRY, 51: Reaction.RETRY_SOON} | dict.fromkeys(
    (15, 16), Reaction.FIND_COORDINATOR
)
FENCED = {47, 90}
RETRIED_BY_PRODUCE = {3, 5, 6, 7, 14, 15, 16, 19, 20, 41, 56}
WITH_NEW_METADATA = {3, 5, 6, 56}


def added(events, state):
    response = AddPartitionsToTxnResponse_v0(0, [("events", [(2, events)]), ("state", [(2, state)])])
    return requests.partitions_added(response, [EVENTS, STATE])


def produced(events, state, *, is_repeat=False):
    response = ProduceResponse_v7([("events", [(2, events, 5, -1, 0)]), ("state", [(2, state, 6, -1, 0)])], 0)
    return requests.produced(response, BATCHES, is_repeat=is_repeat)


def test_the_partitions_are_added_in_one_request():
    request = requests.add_partitions(IDENTITY, [EVENTS, STATE, TopicPartition("state", 3)])
    expected = AddPartitionsToTxnRequest_v0("owner", 7, 3, [("events", [2]), ("state", [2, 3])])
    assert request.build(AddPartitionsToTxnRequest_v0) == expected


def test_the_batches_of_a_leader_are_written_on_all_replicas():
    request = requests.produce(IDENTITY, BATCHES, 10_000)
    expected = ProduceRequest_v7("owner", -1, 10_000, [("events", [(2, b"e")]), ("state", [(2, b"s")])])
    assert request.build(ProduceRequest_v7) == expected


def test_the_end_commits():
    assert requests.commit(IDENTITY).build(EndTxnRequest_v0) == EndTxnRequest_v0("owner", 7, 3, True)


@pytest.mark.parametrize("code", CODES)
def test_the_reaction_to_the_end(code):
    reaction = requests.committed(EndTxnResponse_v0(0, code))
    if code in COORDINATOR:
        assert reaction is COORDINATOR[code]
    else:
        assert isinstance(reaction, ProducerFenced if code in FENCED else KafkaError)
        assert isinstance(reaction, ProducerFenced) == (code in FENCED)


@pytest.mark.parametrize("code", CODES)
def test_the_reaction_to_added_partitions(code):
    expected = {**COORDINATOR, 3: Reaction.RETRY}
    for reaction in (added(code, 0), added(0, code), added(code, 55) if code else Reaction.CONTINUE):
        if code in expected:
            assert reaction is expected[code]
        else:
            assert isinstance(reaction, ProducerFenced if code in FENCED else kafka_errors.get(code, UnknownError))


@given(st.sampled_from(CODES), st.sampled_from(CODES))
def test_of_two_partitions_the_more_serious_answer_counts(one, other):
    """An error before a retry, and a retry before a success; a partition that was not tried never names the cause."""
    reaction, alone = added(one, other), [added(code, code) for code in (one, other) if code != 55]
    if errors := [type(answer) for answer in alone if isinstance(answer, KafkaError)]:
        assert type(reaction) in errors
    elif alone and max(alone) is not Reaction.CONTINUE:
        assert reaction is max(alone)
    else:
        assert isinstance(reaction, OperationNotAttempted) if 55 in {one, other} else reaction is Reaction.CONTINUE


def test_an_unauthorized_topic_is_named():
    assert added(55, 29).args == ("state",)
    assert produced(29, 0).args == ("events",)
    assert isinstance(added(55, 29), TopicAuthorizationFailedError)


@pytest.mark.parametrize("code", CODES)
def test_the_reaction_to_written_batches(code):
    for events, state in ((code, 0), (0, code)):
        result, batch = produced(events, state), BATCHES[0 if events else 1]
        if code == 0:
            assert result == Produced([], needs_metadata=False, offsets={EVENTS: 5, STATE: 6})
        elif code in RETRIED_BY_PRODUCE:
            offsets = {STATE: 6} if events else {EVENTS: 5}
            assert result == Produced([batch], needs_metadata=code in WITH_NEW_METADATA, offsets=offsets)
        else:
            assert isinstance(result, ProducerFenced if code in FENCED else kafka_errors.get(code, UnknownError))


def test_a_duplicate_counts_as_written_only_in_a_repeat_and_its_offset_is_unknown():
    assert isinstance(produced(46, 0), DuplicateSequenceNumber)
    assert produced(46, 6, is_repeat=True) == Produced([BATCHES[1]], needs_metadata=True)


def test_a_final_error_counts_before_a_retriable_one():
    assert isinstance(produced(6, 45), OutOfOrderSequenceNumber)
    assert isinstance(produced(48, 6), InvalidTxnState)


def test_a_partition_that_the_response_leaves_out_is_not_confirmed():
    one_added = AddPartitionsToTxnResponse_v0(0, [("events", [(2, 0)]), ("state", [(1, 0)])])
    assert "state-2" in str(requests.partitions_added(one_added, [EVENTS, STATE]))
    one_written = ProduceResponse_v7([("state", [(2, 0, 6, -1, 0)])], 0)
    assert "events-2" in str(requests.produced(one_written, BATCHES, is_repeat=True))


def test_an_old_response_to_produce_has_fewer_fields():
    response = ProduceResponse_v0([("events", [(2, 0, 5)]), ("state", [(2, 6, -1)])])
    assert requests.produced(response, BATCHES, is_repeat=False) == Produced(
        [BATCHES[1]], needs_metadata=True, offsets={EVENTS: 5}
    )


@pytest.mark.parametrize(
    ("failure", "was_sent"),
    [
        (NodeNotReadyError(), False),
        (KafkaConnectionError(), True),
        (RequestTimedOutError(), True),
        (RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"), True),
        (KeyError((1, 0)), True),
    ],
)
def test_a_failed_connection_may_have_sent_the_request(failure, was_sent):
    assert requests.not_produced(failure, BATCHES) == Produced(BATCHES, needs_metadata=True, was_sent=was_sent)


def test_another_failure_is_final():
    failure = IncompatibleBrokerVersion()
    assert requests.not_produced(failure, BATCHES) is failure
    assert not requests.is_retriable(KafkaError())


def test_a_search_for_the_coordinator_is_repeated_if_its_cause_allows_it():
    for cause, expected in ((CoordinatorNotAvailableError(), True), (IncompatibleBrokerVersion(), False)):
        failure = KafkaError(repr(cause))
        failure.__cause__ = cause
        assert requests.is_retriable(failure) is expected


@given(st.lists(st.sampled_from([None, -1, 1, 2, 3]), min_size=2, max_size=2))
def test_each_batch_is_in_its_leaders_group(leaders):
    of = dict(zip((EVENTS, STATE), leaders, strict=True))
    groups = requests.by_leader(BATCHES, of.get)
    assert sorted(itertools.chain(*groups.values())) == BATCHES
    assert all(
        of[batch.target] in ({leader} if leader else {None, -1}) for leader in groups for batch in groups[leader]
    )
