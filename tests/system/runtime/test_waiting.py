import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topic_copy import open_writer
from adapters.kafka.topics import TopicsWrong, WantedTopic, compare, wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from local.processes.patience import within
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.settings import KafkaSettings, TopicSettings
from schemas.topics import catalogue
from tests.measured import value_of


class Waiting:
    """One call of `wait_for_topics`, with its health."""

    def __init__(self, bootstrap, wanted):
        self.kafka = KafkaSettings(bootstrap=tuple(bootstrap.split(",")))
        self.wanted = wanted
        self.health, self.stop = Health(), asyncio.Event()
        self.metrics = Metrics(CollectorRegistry()).process
        self.health.expect("kafka", "topics")

    async def __call__(self):
        options = {"metrics": self.metrics, "every_seconds": 0.1}
        return await wait_for_topics(self.kafka, self.wanted, self.health, self.stop, get_log(), **options)


@pytest.fixture
def wanted(prefix):
    return wanted_topics(catalogue(prefix), TopicSettings(partitions=2, replication=1, min_insync=1))


@pytest.fixture
async def create(kafka, eventually):
    """Create topics, and return when the broker shows them: it answers before its metadata has them."""

    async def create(topics):
        async with open_cluster(KafkaSettings(bootstrap=tuple(kafka.split(",")))) as cluster:
            for topic in topics:
                await cluster.create_topic(topic)

            async def shown():
                return compare(topics, await cluster.find_topics(topic.name for topic in topics)) == ()

            await eventually(shown)

    return create


async def test_a_process_waits_for_kafka_and_then_for_topics(late_port, wanted, create, eventually):
    port, open_port = late_port
    wait = Waiting(f"127.0.0.1:{port}", wanted)
    with capture_logs() as lines:
        waiting = asyncio.create_task(wait())
        await eventually(lambda: [line["event"] for line in lines].count("kafka.broker_waiting") >= 2)
        assert wait.health.component("kafka").state == "waiting"
        assert value_of(wait.metrics.kafka_away) == 1
        await open_port()
        await eventually(lambda: [line["event"] for line in lines].count("kafka.topics_waiting") >= 2)
        assert wait.health.component("kafka").state == "ok"
        assert value_of(wait.metrics.kafka_away) == 0
        assert "create them with `gateway topics apply`" in wait.health.component("topics").detail
        await create(wanted)
        async with within(10):
            assert await waiting is True
    assert wait.health.ready().good
    warning = next(line for line in lines if line["event"] == "kafka.topics_waiting")
    assert warning["missing"] == [topic.name for topic in wanted]
    assert warning["create_with"] == "gateway topics apply"


async def test_waiting_ends_when_the_process_stops(kafka, wanted, eventually):
    wait = Waiting(kafka, wanted)
    waiting = asyncio.create_task(wait())
    await eventually(lambda: wait.health.component("topics").state == "waiting")
    wait.stop.set()
    async with within(5):
        assert await waiting is False


async def test_wrong_topics_end_the_process_with_all_differences(kafka, wanted, create):
    commands, events, *others = wanted
    wrong = [
        WantedTopic(commands.name, 1, 1, commands.config),
        WantedTopic(events.name, 2, 1, {**events.config, "cleanup.policy": "compact"}),
    ]
    await create([*wrong, *others])
    wait = Waiting(kafka, wanted)
    with pytest.raises(TopicsWrong) as error:
        await wait()
    assert [problem.split(": set")[0].split(": change")[0] for problem in error.value.problems] == [
        f"topic {commands.name}: partitions is 1, must be 2",
        f"topic {events.name}: cleanup.policy is compact, must be delete",
    ]
    assert wait.health.component("topics").state == "failed"


async def test_a_harmless_difference_is_only_logged(kafka, wanted, create):
    state = next(topic for topic in wanted if topic.name.endswith("state"))
    slower = WantedTopic(state.name, 2, 1, {**state.config, "segment.bytes": "1048576"})
    await create([topic for topic in wanted if topic is not state] + [slower])
    with capture_logs() as lines:
        assert await Waiting(kafka, wanted)() is True
    (warning,) = [line for line in lines if line["event"] == "kafka.topic_mismatched"]
    assert (warning["topic"], warning["aspect"], warning["found"]) == (state.name, "segment.bytes", "1048576")


async def test_a_topic_that_grew_is_used_unless_a_surplus_partition_has_a_record(kafka, wanted, create):
    commands, *others = wanted
    await create([WantedTopic(commands.name, 4, 1, commands.config), *others])
    wait = Waiting(kafka, wanted)
    with capture_logs() as lines:
        assert await wait() is True
    (warning,) = [line for line in lines if line["event"] == "kafka.topic_mismatched"]
    assert (warning["aspect"], warning["found"], value_of(wait.metrics.surplus_partitions)) == ("partitions", "4", 2)
    async with open_writer(wait.kafka) as writer:
        await writer.write(commands.name, 3, key=b"auth_1", value=b"{}")
        await writer.flush()
    with pytest.raises(TopicsWrong, match="is partition 3 at offset 0, must be absent: another program wrote it"):
        await wait()
