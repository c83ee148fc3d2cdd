from datetime import timedelta

import pytest

from adapters.kafka.topics import FoundTopic, apply, compare, wanted_topics
from runtime.settings import TopicSettings
from schemas.topics import catalogue

DAY = 86_400_000
WANTED = wanted_topics(catalogue("t."), TopicSettings())


def found_as_wanted():
    return {topic.name: FoundTopic(topic.partitions, topic.replication, dict(topic.config)) for topic in WANTED}


class Admin:
    """Records the requested changes."""

    def __init__(self):
        self.created, self.altered = [], {}

    async def create_topic(self, wanted):
        self.created.append(wanted.name)

    async def alter_topic(self, name, config):
        self.altered[name] = dict(config)


def test_all_five_topics_have_the_same_size_and_durability():
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


def test_topics_as_wanted_have_no_differences():
    assert compare(WANTED, found_as_wanted()) == ()


async def test_missing_topics_are_created_and_are_not_fatal():
    differences = compare(WANTED, {})
    assert len(differences) == 5
    assert not any(difference.fatal for difference in differences)
    admin = Admin()
    assert await apply(admin, WANTED, differences) == []
    assert admin.created == [topic.name for topic in WANTED]


def found_with(topic="t.state", partitions=12, replication=3, **config):
    """Return the wanted topics but for these properties of one."""
    found = found_as_wanted()
    found[topic] = FoundTopic(partitions, replication, found[topic].config | config)
    return found


def difference_of(**changes):
    """Change one property of one topic and return the difference."""
    (difference,) = compare(WANTED, found_with(**changes))
    return difference


@pytest.mark.parametrize(
    ("partitions", "fatal", "advice"), [(1, True, "set"), (11, True, "set"), (24, False, "Kafka cannot remove")]
)
async def test_fewer_partitions_are_fatal_more_are_left_alone_and_none_are_changed(partitions, fatal, advice):
    difference = difference_of(partitions=partitions)
    assert difference.fatal is fatal
    assert str(difference).startswith(f"topic t.state: partitions is {partitions}, must be 12: {advice}")
    admin = Admin()
    assert await apply(admin, WANTED, [difference]) == [difference]
    assert (admin.created, admin.altered) == ([], {})


def test_fewer_replicas_are_fatal_and_more_are_only_reported():
    assert difference_of(replication=1).fatal
    assert not difference_of(replication=5).fatal
    assert difference_of(**{"min.insync.replicas": "1"}).fatal
    assert not difference_of(**{"min.insync.replicas": "3"}).fatal


async def test_another_cleanup_policy_is_fatal_and_needs_a_person():
    difference = difference_of(**{"cleanup.policy": "delete"})
    assert difference.fatal
    assert difference.remedy == "by hand"


async def test_harmless_settings_are_altered_in_one_request():
    found = found_with(**{"segment.bytes": "1", "min.insync.replicas": "1"})
    admin = Admin()
    assert await apply(admin, WANTED, compare(WANTED, found)) == []
    assert admin.altered == {"t.state": {"segment.bytes": str(16 << 20), "min.insync.replicas": "2"}}


@pytest.mark.parametrize("retention", ["-1", str(365 * 86_400_000)])
def test_an_operator_may_keep_records_longer(retention):
    assert compare(WANTED, found_with("t.events", **{"retention.ms": retention})) == ()


@pytest.mark.parametrize(("retention", "expected"), [("-1", 1), (str(180 * DAY), 1), (str(90 * DAY), 0)])
def test_events_that_outlive_the_state_of_their_authorization_are_reported_but_stop_no_process(retention, expected):
    found = found_with("t.events", **{"retention.ms": retention})
    differences = compare(wanted_topics(catalogue("t."), TopicSettings(), timedelta(days=90)), found)
    assert [(one.topic, one.remedy, one.fatal) for one in differences] == [("t.events", "by hand", False)] * expected
    assert all("GATEWAY_WATCH__FORGET_AFTER" in str(one) for one in differences)


def test_a_shorter_retention_is_altered():
    difference = difference_of(topic="t.events", **{"retention.ms": "1000"})
    assert (difference.remedy, difference.fatal) == ("alter", False)


def test_an_unreadable_configuration_is_no_difference():
    found = {name: FoundTopic(topic.partitions, topic.replication, None) for name, topic in found_as_wanted().items()}
    assert compare(WANTED, found) == ()
