"""What a person reads while local servers start, and first of all after a failed start."""

import time

import pytest

from local.processes.logs import failure, worst_line
from local.processes.starts import Starts


def test_each_part_says_that_it_starts_and_then_how_long_that_took(monkeypatch):
    now, lines = [5.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Starts(lines.append) as starts:
        starts.begin("ingress", "worker")
        now[0] = 7.0
        starts.end("ingress", "here")
        now[0] = 605.5
        starts.end("worker", "there")
    assert [line.replace("[dim]", "").replace("[/]", "") for line in lines] == [
        "… ingress, worker starting",
        "[green]✓ ingress              here, after 2.0 s",
        "[green]✓ worker               there, after 600.5 s",
    ]


def test_a_part_that_starts_slowly_is_named_again(eventually_blocking):
    lines = []
    with Starts(lines.append, remind_every_seconds=0.01) as starts:
        starts.begin("Apache Kafka", "PostgreSQL")
        starts.end("PostgreSQL", "here")
        lines.clear()
        eventually_blocking(lambda: len(lines) > 1)
        assert lines[-1] == "[dim]… still starting: Apache Kafka for 0 s[/]"


@pytest.mark.parametrize(
    ("lines", "worst"),
    [
        (["2026 INFO a", "2026 WARN b", "2026 ERROR first", "2026 ERROR second"], "2026 ERROR first"),
        (["2026 ERROR e", "2026 FATAL f", "bye"], "2026 FATAL f"),
        (
            [
                "INFO no fatal fault",
                "ERROR EventPerformanceMonitor: exceptionally slow",
                "ERROR BrokerLifecycleManager Shutting down because we were unable to register",
                "ERROR BrokerServer Received a fatal error while waiting",
            ],
            "ERROR BrokerLifecycleManager Shutting down because we were unable to register",
        ),
        (["Traceback:", "  File 1", "pydantic.ValidationError: x", ""], "pydantic.ValidationError: x"),
        (
            ['{"event": "a", "level": "warning"}', '{"event": "b", "level": "error"}'],
            '{"event": "b", "level": "error"}',
        ),
        (["settings:", "  GATEWAY_X: unknown", ""], "GATEWAY_X: unknown"),
        (["x" * 1_000], "x" * 300),
        ([], ""),
    ],
)
def test_the_worst_line(lines, worst):
    assert worst_line(lines) == worst


def test_the_worst_line_of_all_logs_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    output, log = tmp_path / "output.log", tmp_path / "kafka.log"
    output.write_text("started\n")
    log.write_text("INFO fine\nERROR no disk\n" + "INFO later\n" * 2_000)
    said = str(failure("kafka-1", "it ended with exit code 1", [output, log])).splitlines()
    assert said[:2] == ["kafka-1 failed: ERROR no disk", "kafka-1: it ended with exit code 1."]
    assert str(failure("kafka-1", "it ended", [])).startswith("kafka-1 failed: it ended.")
