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


@given(st.binary(max_size=64), st.integers(1, 200))
def test_a_key_has_the_same_partition_as_in_aiokafka(key, count):
    partitions = list(range(count))
    assert partition_for(key, count) == aiokafka.partitioner.DefaultPartitioner()(key, partitions, partitions)


def test_each_index_is_small_and_holds_a_whole_segment_of_a_compacted_topic():
    for topic in catalogue("x."):
        index = int(topic.config["segment.index.bytes"])
        assert index <= 256 << 10
        # Kafka adds an entry of at most 12 bytes for 4 KiB of records.
        assert int(topic.config.get("segment.bytes", 0)) // 4096 * 12 <= index


def test_compacted_topics_close_their_segments():
    for topic in catalogue("x."):
        assert topic.is_compacted == ("segment.bytes" in topic.config)
        assert topic.is_compacted == ("max.compaction.lag.ms" in topic.config)
