"""The layout of the list of commands."""

import io

import pytest
from rich.console import Console

from cli.lists.commands import COMMANDS as LIST

COMMANDS = [
    {
        "commandId": "7f2c1a90-0000-4000-8000-000000000000",
        "type": "collate-gateway.handoff.request.v1",
        "authorizationId": "auth_1",
        "caller": "intake",
        "status": "waiting",
        "acceptedAt": "2026-06-02T14:09:00Z",
        "waiting": {"reason": "rate_limited"},
        "metadata": {"team": "x", "case": "c-7"},
    },
    {
        "commandId": "7f2c1a90-0000-4000-8000-000000000001",
        "type": "collate-gateway.handoff.close.v1",
        "authorizationId": "auth_2",
        "caller": "portal",
        "status": "finished",
        "acceptedAt": "2026-06-02T14:19:00Z",
        "outcome": "rejected",
        "reason": "handoff_not_found",
    },
]


@pytest.mark.parametrize("width", [80, 200])
def test_a_row_says_what_was_asked_by_whom_when_and_how_it_stands(width):
    page = io.StringIO()
    Console(file=page, width=width).print(LIST.columns.layout(COMMANDS, "2026-06-02T14:40:00Z", width))
    text = page.getvalue()
    for part in (
        "7f2c1a90",
        "handoff.request",
        "auth_1",
        "intake",
        "31 min",
        "waiting",
        "rate_limited",
        "case=c-7 team=x",
    ):
        assert part in text
    for part in ("handoff.close", "portal", "21 min", "rejected", "handoff_not_found"):
        assert part in text
    assert "collate-gateway." not in text
