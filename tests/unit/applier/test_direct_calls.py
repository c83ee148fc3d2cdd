"""Handlers call a log or a metric directly only for what has happened whether or not a result is committed.

Everything else, above all the end of a command, goes through `on_commit`.
"""

import ast
from pathlib import Path

import pytest

import consumers

ROOT = Path(consumers.__file__).parent
HANDLERS = [
    *(ROOT / "applier").rglob("*.py"),
    *(ROOT / "authorization").rglob("*.py"),
    *(ROOT / "watcher").rglob("*.py"),
    ROOT / "deliverer" / "handler.py",
]
COUNTS = {"inc", "observe", "set", "dec"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
ALLOWED = {
    # The state is unreadable: nothing is committed.
    ("applier.py", "command.state_unreadable"),
    ("watcher.py", "watcher.state_unreadable"),
    # An attempt or a read.
    ("write.py", "intents_resent"),
    ("watcher.py", "observations"),
    ("handler.py", "answered"),
    ("handler.py", "deliverer.event_not_delivered"),
    # The stop has a write of its own, which has ended.
    ("handler.py", "deliverer.subscription_stopped"),
    # The calls that `on_commit` makes.
    ("handoff_numbers.py", "stage_seconds"),
    ("handoff_numbers.py", "agreements"),
    ("handoff_numbers.py", "overdue"),
    ("handoff_numbers.py", "settled_due"),
}


def names_in(node):
    return {one.attr if isinstance(one, ast.Attribute) else one.id for one in ast.walk(node) if _is_name(one)}


def _is_name(node):
    return isinstance(node, ast.Attribute | ast.Name)


def direct(call):
    """Return the name of the line or the metric of a direct call of a log or a metric; None for any other call."""
    match call.func:
        case ast.Attribute(value=of, attr=level) if level in LEVELS and {"log", "_log", "get_log"} & names_in(of):
            return call.args[0].value
        case ast.Attribute(value=of, attr=count) if count in COUNTS and {"metrics", "_metrics"} & names_in(of):
            return (of.func.value if isinstance(of, ast.Call) else of).attr  # `of` may be `.labels(...)`
        case ast.Attribute(value=of, attr=name) if _is_name(of) and (getattr(of, "attr", "") or of.id) == "numbers":
            return name
        case ast.Subscript(value=of, slice=event) if "lines" in names_in(of):
            return ast.unparse(event)
    return None


def direct_calls(text):
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {name for call in calls if (name := direct(call)) is not None}


def test_handlers_say_directly_only_what_needs_no_commit():
    found = {(path.name, name) for path in HANDLERS for name in direct_calls(path.read_text())}
    assert found == ALLOWED, "use on_commit"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("self._log.error('command.record_lost', command_id=1)", "command.record_lost"),
        ("get_log().warning('command.ended')", "command.ended"),
        ("context.metrics.finished.labels('a', 'b').inc()", "finished"),
        ("self._context.metrics.key_conflicts.inc()", "key_conflicts"),
        ("self.metrics.finish_seconds.labels('a').observe(1.0)", "finish_seconds"),
        ("self.numbers.delivered(1.0)", "delivered"),
        ("numbers.count(1)", "count"),
        ("self.context.lines[event](line)", "event"),
    ],
)
def test_each_sort_of_direct_call_is_found(text, name):
    assert direct_calls(text) == {name}
