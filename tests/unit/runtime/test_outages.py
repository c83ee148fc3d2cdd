"""The lines of an outage: one at its begin, one a minute, one at its end, and few of everything that it causes."""

import logging

from runtime.logs import get_log
from runtime.outages.line_limit import LineLimit
from runtime.outages.outage import Outage


def test_an_outage_has_one_line_at_its_begin_one_a_minute_and_one_at_its_end(lines, clock):
    outage = Outage("kafka", clock=clock)
    outage.report(None)
    for second in range(300):
        outage.report(f"no broker has answered for {second} s")
        clock.now += 0.5
    outage.report(None)
    outage.report(None)
    shown = [(line["event"], line["seconds"]) for line in lines()]
    assert shown == [
        ("kafka.broker_lost", 0.0),
        ("kafka.broker_lost", 60.0),
        ("kafka.broker_lost", 120.0),
        ("kafka.broker_reached", 150.0),
    ]


def test_the_lines_that_an_outage_causes_are_counted_and_not_written(lines, clock):
    outage = Outage("kafka", clock=clock)
    outage.report("no broker")
    for port in range(74):
        logging.getLogger("aiokafka.client").error("Unable connect to %s", port)
        get_log().warning("engine.partition_failed", partition=port)
    clock.now += 60
    outage.report("no broker")
    logging.getLogger("aiokafka").error("again")
    outage.report(None)
    shown = lines()
    assert [line["event"] for line in shown] == ["kafka.broker_lost", "kafka.broker_lost", "kafka.broker_reached"]
    assert [line.get("lines_hidden") for line in shown] == [None, 148, 1]


def test_an_outage_of_the_database_hides_nothing_of_kafka(lines):
    Outage("database").report("the server does not respond in time")
    logging.getLogger("aiokafka").error("Unable connect")
    get_log().error("engine.partition_stopped", partition=1)
    assert [line["event"] for line in lines()] == [
        "postgres.connection_lost",
        "process.library_logged",
        "engine.partition_stopped",
    ]


def test_a_library_writes_the_same_message_once_a_minute(lines):
    for node in range(50):
        logging.getLogger("aiokafka").error("Unable connect to node with id %s", node)
        logging.getLogger("other").warning("another message")
    logging.getLogger("aiokafka").error("Unable to update metadata from %s", [1])
    assert [line["message"] for line in lines()] == [
        "Unable connect to node with id 0",
        "another message",
        "Unable to update metadata from [1]",
    ]


def test_a_line_says_how_many_of_its_kind_were_hidden_before_it():
    limit = LineLimit()
    assert [limit.admit("kind", "", now) for now in (0.0, 1.0, 59.0, 60.0, 61.0)] == [0, None, None, 2, None]


def test_the_kinds_are_bounded():
    limit = LineLimit()
    for number in range(10_000):
        assert limit.admit(number, "", 0.0) == 0
    assert limit.admit(10_000 - 256, "", 1.0) is None
    assert limit.admit(10_000 - 257, "", 1.0) == 0, "the oldest kinds are forgotten"


def test_lines_about_a_subject_of_their_own_are_never_hidden(lines):
    Outage("kafka").report("no broker")
    for number in range(3):
        get_log().error("engine.invocation_failed", offset=number)
    assert [line["event"] for line in lines()][1:] == ["engine.invocation_failed"] * 3
