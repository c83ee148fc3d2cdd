"""What a person reads while local servers start, and first of all after a failed start."""

import pytest

from local.processes.logs import worst_line


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
