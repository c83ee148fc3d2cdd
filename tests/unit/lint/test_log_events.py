"""Log events have one scheme, `area.object_past_participle`, so that a reader finds and filters them by area."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("adapters", "consumers", "gateway", "runtime")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
AREAS = "engine|command|watcher|projector|ingress|collate|kafka|oidc|postgres|process|cli|local"
EVENT = re.compile(rf"({AREAS})\.[a-z_]+")


def events():
    """Yield the place and the first argument of each call of a log's level."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if not isinstance(node, ast.Call) or not node.args or file.name == "logs.py":
                    continue
                called = ast.unparse(node.func)
                if (called.rpartition(".")[2] in LEVELS and "." in called) or called == "line_writer":
                    event = node.args[0].value if isinstance(node.args[0], ast.Constant) else ast.unparse(node.args[0])
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", event


def test_every_log_event_is_a_constant_of_the_scheme():
    assert [(place, event) for place, event in events() if not EVENT.fullmatch(event)] == []


def test_log_events_are_found():
    assert len(list(events())) > 20
