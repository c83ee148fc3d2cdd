"""Each field of the answers that the console reads is read by a template or a module, or has a reason here."""

import ast
import typing
from pathlib import Path

from jinja2 import Environment, nodes

import console
from collate_gateway_client import GatewayProblem, NotAnswered, operations
from collate_gateway_client.errors import Fault
from console.times import FILTERS
from console.views.words import WORDS

CONSOLE = Path(console.__file__).parent
TREES = [ast.parse(path.read_text()) for path in CONSOLE.rglob("*.py")]
TEMPLATES = {path: Environment().parse(path.read_text()) for path in (CONSOLE / "templates").rglob("*.html")}
NOT_SHOWN = {
    "assertedBy": "the name is enough; the timeline says who says so",
    "opener": "the timeline names the caller of the opening",
    "overdueAt": "the timeline has the event",
    "lastAt": "all are of the last ten minutes",
    "grants": "the page of the authorization shows each",
    "events": "they are no work of an operator",
    "delivered": "metrics count them",
}


def typed_dicts(annotation):
    """Yield the TypedDicts in an annotation."""
    if typing.is_typeddict(annotation):
        yield annotation
    for part in typing.get_args(annotation):
        yield from typed_dicts(part)


def answers():
    """Return the fields of each answer of the operations that the console calls, by the answer's name."""
    called = {
        node.attr
        for tree in TREES
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "operations"
    }
    returned = [typing.get_type_hints(getattr(operations, name)).get("return") for name in called]
    waiting = [one for annotation in returned for one in typed_dicts(annotation)]
    found = {}
    while waiting:
        one = waiting.pop()
        if one.__name__ not in found:
            fields = typing.get_type_hints(one)
            found[one.__name__] = set(fields)
            waiting += [inner for annotation in fields.values() for inner in typed_dicts(annotation)]
    return found


def read_by(template):
    """Return the names after a dot, by the name before it."""
    return {
        (node.node.name if isinstance(node.node, nodes.Name) else getattr(node.node, "attr", ""), node.attr)
        for node in template.find_all(nodes.Getattr)
    }


def test_each_field_of_each_answer_is_read_or_has_a_reason():
    read = {name for template in TEMPLATES.values() for _, name in read_by(template)}
    read |= {node.value for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    found = answers()
    assert len(found) > 40
    unread = {(name, field) for name, fields in found.items() for field in fields - read - NOT_SHOWN.keys()}
    assert unread == set()
    assert NOT_SHOWN.keys() <= set().union(*found.values()) - read, "a page shows it now"


def test_a_template_reads_only_names_that_exist():
    """An absent field of an answer is none, so a wrong name would show nothing."""
    classes = [node for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {
        node.target.id if isinstance(node, ast.AnnAssign) else node.name
        for one in classes
        for node in one.body
        if isinstance(node, ast.AnnAssign | ast.FunctionDef)
    }
    fields = set().union(*answers().values())
    events = {"operator", "expiresAt", "advice", "endsAt", "acceptedBy"}  # of the events in a timeline
    problem = {"claimedBy", "claimedSince", "message", "members", "reason"} | set(Fault.__annotations__) | {"where"}
    failures = {*vars(GatewayProblem(500, {}, {})), *vars(NotAnswered("x")), *problem}
    python = {"get", "items", "split", "isoformat", "endswith", "startswith", "removesuffix"}
    loop = {"index", "index0", "first", "last", "previtem"}
    known = own | fields | events | failures | python | loop | set(FILTERS) | set(WORDS)
    macros = {"parts", "reasons", "contents", "words", "own"}
    wrong = {
        path.name: {name for base, name in read_by(template) if base not in macros} - known
        for path, template in TEMPLATES.items()
    }
    assert {place: names for place, names in wrong.items() if names} == {}
