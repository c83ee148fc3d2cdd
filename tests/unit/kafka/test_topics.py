import pytest

from adapters.kafka.topics import Found, apply, compare, wanted_topics
from runtime.settings import TopicSettings
from schemas.topics import catalogue

WANTED = wanted_topics(catalogue("t."), TopicSettings())


def as_wanted():
    return {topic.name: Found(topic.partitions, topic.replication, dict(topic.config)) for topic in WANTED}


class Cluster:
    """Remembers what it was asked to change."""

    def __init__(self):
        self.created, self.altered = [], {}

    async def create_topic(self, wanted):
        self.created.append(wanted.name)

    async def alter_topic(self, name, config):
        self.altered[name] = dict(config)


def test_five_topics_of_one_size_and_durability():
    assert [topic.name for topic in WANTED] == [
        "t.commands",
        "t.events",
        "t.authorizations",
        "t.state",
        "t.dead-letters",
    ]
    assert {(topic.partitions, topic.replication, topic.config["min.insync.replicas"]) for topic in WANTED} == {
        (12, 3, "2")
    }


def test_no_difference_where_all_is_as_wanted():
    assert compare(WANTED, as_wanted()) == ()


async def test_missing_topics_are_created_and_waited_for_and_not_fatal():
    differences = compare(WANTED, {})
    assert len(differences) == 5
    assert not any(difference.fatal for difference in differences)
    cluster = Cluster()
    assert await apply(cluster, WANTED, differences) == []
    assert cluster.created == [topic.name for topic in WANTED]


def difference_of(**changes):
    """Change one topic in one way, and return the one difference."""
    found = as_wanted()
    was = found["t.state"]
    config = {**was.config, **changes.pop("config", {})}
    found["t.state"] = Found(
        changes.get("partitions", was.partitions), changes.get("replication", was.replication), config
    )
    (difference,) = compare(WANTED, found)
    return difference


@pytest.mark.parametrize("partitions", [1, 11, 24])
async def test_another_number_of_partitions_is_fatal_and_never_changed(partitions):
    difference = difference_of(partitions=partitions)
    assert difference.fatal
    assert str(difference).startswith(f"topic t.state: partitions is {partitions}, must be 12: never add partitions")
    cluster = Cluster()
    assert await apply(cluster, WANTED, [difference]) == [difference]
    assert (cluster.created, cluster.altered) == ([], {})


def test_fewer_copies_are_fatal_and_more_are_only_told():
    assert difference_of(replication=1).fatal
    assert not difference_of(replication=5).fatal
    assert difference_of(config={"min.insync.replicas": "1"}).fatal
    assert not difference_of(config={"min.insync.replicas": "3"}).fatal


async def test_another_cleanup_policy_is_fatal_and_left_to_a_person():
    difference = difference_of(config={"cleanup.policy": "delete"})
    assert difference.fatal
    assert difference.remedy == "by hand"


async def test_settings_that_lose_nothing_are_set_together():
    found = as_wanted()
    state = found["t.state"]
    found["t.state"] = Found(12, 3, {**state.config, "segment.bytes": "1", "min.insync.replicas": "1"})
    cluster = Cluster()
    assert await apply(cluster, WANTED, compare(WANTED, found)) == []
    assert cluster.altered == {"t.state": {"segment.bytes": str(16 << 20), "min.insync.replicas": "2"}}


@pytest.mark.parametrize("kept", ["-1", str(365 * 86_400_000)])
def test_an_operator_may_keep_records_longer(kept):
    found = as_wanted()
    events = found["t.events"]
    found["t.events"] = Found(12, 3, {**events.config, "retention.ms": kept})
    assert compare(WANTED, found) == ()


def test_keeping_records_for_less_time_is_put_right():
    found = as_wanted()
    found["t.events"] = Found(12, 3, {**found["t.events"].config, "retention.ms": "1000"})
    (difference,) = compare(WANTED, found)
    assert (difference.remedy, difference.fatal) == ("alter", False)


def test_what_we_may_not_read_is_no_difference():
    found = {name: Found(topic.partitions, topic.replication, None) for name, topic in as_wanted().items()}
    assert compare(WANTED, found) == ()
