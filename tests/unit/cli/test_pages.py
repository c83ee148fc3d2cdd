"""Layouts for people: no text is cut off at any width of the terminal."""

import io

import pytest
from rich.console import Console

from cli.dead_letters import tables
from cli.history.timeline import entry_of
from cli.top.screen import Seen, page

NOW = "2026-06-02T14:10:00Z"
ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
WAITS = {"reason": "backoff", "advice": "The last call had no definite answer; the same request is sent again."}
STUCK = {
    "commandId": ID,
    "authorizationId": "auth_2F1C6D1E0D555B4E",
    "type": "collate-gateway.handoff.request.v1",
    "caller": "scheduling",
    "status": "waiting",
    "acceptedAt": "2026-06-02T14:06:00Z",
}
WORKER = {
    "url": "http://worker-0:9090",
    "process": "worker",
    "ready": True,
    "summary": "ready",
    "partitions": 12,
    "lag": 3,
    "oldestSeconds": 240.2,
    "running": 1,
    "waiting": {"backoff": 1},
    "stopped": [{"partition": 3, "detail": "too many dead letters"}],
    "paused": [1, 2],
    "breaker": "open",
    "breakers": [{"reason": "credentials", "calls": "all", "state": "open"}],
    "inFlight": 2,
    "limit": 64,
    "queued": 5,
}
OVERVIEW = {
    "at": NOW,
    "unfinished": {"waiting": 1, "dead_lettered": 1},
    "waiting": {"backoff": 1},
    "oldest": [STUCK | {"waiting": WAITS}],
    "deadLetters": [STUCK | {"status": "dead_lettered", "waiting": {"reason": "outcome_unknown"}}],
    "lastMinute": {"accepted": 2, "finished": 1, "events": 7, "attempts": 9},
    "activeHandoffs": 1,
    "projector": {"at": "2026-06-02T14:09:59Z", "behind": 1},
    "fullCallers": [{"authorizationId": "auth_9", "caller": "reporting", "rejected": 31, "lastAt": NOW}],
}
AWAY = {"url": "http://worker-1:9090", "process": "worker-1", "problem": "connection refused"}
SEEN = Seen(OVERVIEW, "", [WORKER, AWAY])
ENTRY = {
    "at": "2026-06-02T14:06:00.123Z",
    "kind": "authorization.action_required",
    "says": "Collate waits for a person: complete_payer_interaction; review snapshot rev_08faa100001 first, version 3.",
    "commandId": ID,
    "sequence": 1234,
}
LETTER = {
    "commandId": ID,
    "command": "collate-gateway.handoff.request.v1",
    "authorizationId": "auth_2F1C6D1E0D555B4E",
    "caller": "scheduling",
    "cause": "outcome_unknown",
    "deadAt": "2026-06-02T11:06:00Z",
    "writes": 1,
    "redrive": 2,
}
WIDTHS = [40, 72, 80, 110, 140, 10_000]


def shown(width, *parts):
    """Return the lines that a terminal of this width shows."""
    out = io.StringIO()
    terminal = Console(file=out, width=width, highlight=False)
    for part in parts:
        terminal.print(part)
    return out.getvalue().splitlines()


def flat(lines):
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", WIDTHS)
def test_an_overview_is_complete_at_any_width(width):
    lines = shown(width, page(SEEN, width))
    assert all(len(line) <= width for line in lines)
    text = flat(lines)
    for part in ("auth_2F1C6D1E0D555B4E", "handoff.request", "scheduling", "2f1c6d1e", "4 min", "http://worker-0:9090"):
        assert part in text
    for part in ("1 dead-lettered, 1 waiting; 1 open handoff", "1 record behind", "open", "2 of 64 calls, 5 queued"):
        assert part in text
    assert "auth_9 reporting 31 rejected in 10 minutes" in text
    assert "http://worker-1:9090 connection refused" in text
    assert "partition 3 is stopped: too many dead letters" in text
    assert "partition 1, 2 is paused: too many unfinished records" in text
    assert "breaker credentials is open for all calls" in text

    assert "…" not in text
    if width >= 72:
        assert WAITS["advice"].split()[-1] in text
        assert (
            text.index("backoff: The last") < text.index("Dead letters, oldest first") < text.index("outcome_unknown")
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_the_readiness_of_each_process_is_shown_also_without_an_overview(width):
    sentence = "not ready: kafka waiting (no broker has answered for 9 s)"
    waits = {"url": "http://worker-0:9090", "process": "worker", "ready": False, "summary": sentence}
    away = {"url": "http://127.0.0.1:9090", "process": "worker", "problem": "connection refused"}
    breakers = [{"reason": "faults", "calls": "writes", "state": "probing"}]
    live = {"url": "http://ingress:9090", "process": "ingress", "ready": True, "summary": "ready", "breakers": breakers}
    text = flat(shown(width, page(Seen(None, "503", [waits, away, live]), width, "503; retrying")))
    assert "503; retrying" in text
    assert f"worker http://worker-0:9090 {sentence}" in text
    assert "no answer worker http://127.0.0.1:9090 connection refused" in text
    assert "ingress http://ingress:9090 ready breaker faults is probing for writes calls" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_an_entry_is_complete_at_any_width(width):
    lines = shown(width, *entry_of(ENTRY, width))
    assert all(len(line) <= width for line in lines)
    text = flat(lines)
    for word in ("1234", "authorization.action_required", "2f1c6d1e", *ENTRY["says"].split()):
        assert word in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_dead_letter_in_a_list_is_complete_at_any_width(width):
    text = flat(shown(width, tables.DEAD_LETTERS.columns.layout([LETTER], "2026-06-02T14:10:00Z", width)))
    for part in (ID, "outcome_unknown", "handoff.request", "auth_2F1C6D1E0D555B4E", "scheduling", "3 h"):
        assert part in text
