"""Log events have one scheme, `area.object_past_participle`, so that a reader finds and filters them by area."""

import ast
import re

from tests.contract.code.product import nodes

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
AREAS = "engine|command|watcher|projector|deliverer|ingress|console|collate|kafka|oidc|postgres|process|cli|local"
EVENT = re.compile(rf"({AREAS})\.[a-z_]+")


def writes_a_line(call):
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr in LEVELS
    return isinstance(function, ast.Name) and function.id == "line_writer"


def events():
    """Yield the place and the first argument of each call of a log's level."""
    for file, parts in nodes().items():
        for node in parts:
            if isinstance(node, ast.Call) and node.args and writes_a_line(node) and not file.endswith("logs.py"):
                event = node.args[0].value if isinstance(node.args[0], ast.Constant) else ast.unparse(node.args[0])
                yield f"{file}:{node.lineno}", event


def test_every_log_event_is_a_constant_of_the_scheme():
    assert [(place, event) for place, event in events() if not EVENT.fullmatch(event)] == []
