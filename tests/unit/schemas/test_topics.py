import aiokafka.partitioner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import catalogue, murmur2, partition_for


@pytest.mark.parametrize(
    ("key", "golden"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_equals_the_java_clients(key, golden):
    assert murmur2(key) == golden & 0xFFFFFFFF


@given(st.binary(max_size=300))
def test_murmur2_equals_aiokafkas(key):
    assert murmur2(key) == aiokafka.partitioner.murmur2(key) & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 200))
def test_a_key_has_the_same_partition_as_in_aiokafka(key, count):
    partitions = list(range(count))
    assert partition_for(key, count) == aiokafka.partitioner.DefaultPartitioner()(key, partitions, partitions)


@pytest.mark.parametrize(
    ("key", "golden"), [(b"auth_7Q2M", [0, 3, 9, 39]), (b"auth_1", [0, 0, 0, 22]), (b"", [0, 3, 9, 31])]
)
def test_golden_partitions(key, golden):
    assert [partition_for(key, count) for count in (1, 6, 12, 50)] == golden


def test_the_catalogue_has_the_documented_topics():
    topics = catalogue("collate-gateway.")
    assert [(topic.name, topic.writer, topic.config["cleanup.policy"]) for topic in topics] == [
        ("collate-gateway.commands", "ingress", "delete"),
        ("collate-gateway.events", "worker", "delete"),
        ("collate-gateway.authorizations", "worker", "compact"),
        ("collate-gateway.state", "worker", "compact"),
        ("collate-gateway.dead-letters", "worker", "delete"),
    ]
    days = {topic.role: int(topic.config["retention.ms"]) / 86_400_000 for topic in topics if not topic.is_compacted}
    assert days == {"commands": 7, "events": 30, "dead_letters": 30}


def test_compacted_topics_close_their_segments():
    for topic in catalogue("x."):
        assert topic.is_compacted == ("segment.bytes" in topic.config)
        assert topic.is_compacted == ("max.compaction.lag.ms" in topic.config)
