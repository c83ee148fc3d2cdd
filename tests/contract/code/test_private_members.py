"""A private member of a library is used in few files and exists; the library is pinned below its next minor version.

Underscores are not all: uvicorn documents none of the members that `runtime/http_server` inherits.
"""

import ast
import inspect
import re
import tomllib
from collections import Counter
from functools import cache
from importlib.metadata import files, version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from runtime.http_server.response_cycle import ResponseCycle
from runtime.http_server.server import LimitedProtocol
from tests.contract.code.product import ROOT

ROOMS = ("cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas", "clients/python", "local")
LIBRARIES = {
    "adapters/kafka/aiokafka_internals.py": "aiokafka",
    "adapters/postgres/database.py": "psycopg",
    "local/kafka/administrator.py": "aiokafka",
    "runtime/http_server/server.py": "uvicorn",
    "schemas/model.py": "pydantic",
}
PRIVATE = re.compile(r"_[a-z]\w*|__pydantic_\w+")
# The standard library documents these.
DOCUMENTED = {"_replace", "_asdict", "_exit", "_value_", "_name_"}


def names_in(tree):
    """Return the names that a file defines, and the private names that it uses, each with its object."""
    defined, used = set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(value=ast.Name("self" | "cls"), attr=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(value=value, attr=name):
                used.add((name, ast.unparse(value)))
            case ast.Constant(value=str() as name) if name.startswith("__pydantic_"):
                used.add((name, ""))
            case ast.ImportFrom(module=str() as module, names=names):
                used.update((name, "") for name in (*module.split("."), *(one.name for one in names)))
    return defined, {(name, of) for name, of in used if PRIVATE.fullmatch(name) and name not in DOCUMENTED}


@cache
def private_members():
    """Return the private names of libraries that each file uses."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): names_in(ast.parse(path.read_text())) for path in paths}
    files_with = Counter(name for defined, _ in found.values() for name in defined)
    members = {}
    for file, (defined, used) in found.items():
        for name, of in used:
            elsewhere = files_with[name] > (name in defined)
            # `super()` is the library's although the file overrides the name; `self` may be a class of another file.
            is_ours = elsewhere if of == "super()" else name in defined or (of in {"self", "cls"} and elsewhere)
            if not is_ours:
                members.setdefault(file, set()).add(name)
    return members


@cache
def source(library):
    paths = [file.locate() for file in files(library) if file.suffix in {".py", ".pyx"}]
    return "\n".join(path.read_text() for path in paths if path.exists())


def test_only_these_files_use_private_members():
    assert {*private_members()} == {*LIBRARIES}


@pytest.mark.parametrize(("file", "library"), LIBRARIES.items())
def test_each_private_member_exists(file, library):
    gone = [name for name in private_members()[file] if not re.search(rf"(def |self\.|['\"]){name}\b", source(library))]
    assert gone == [], f"{file} uses members that {library} {version(library)} does not have"


@pytest.mark.parametrize(
    ("ours", "theirs"), [(LimitedProtocol, HttpToolsProtocol), (ResponseCycle, RequestResponseCycle)]
)
def test_each_member_that_the_http_server_inherits_exists(ours, theirs):
    text = inspect.getsource(ours)
    own = {*vars(ours), *ours.__annotations__, *re.findall(r"self\.(\w+) = ", text)}
    inherited = set(re.findall(r"self\.(\w+)", text)) - own | set(re.findall(r"super\(\)\.(\w+)", text))
    assert len(inherited) > 3
    assigned = set(re.findall(r"self\.(\w+)", inspect.getsource(theirs)))
    gone = [name for name in inherited - assigned if not hasattr(theirs, name)]
    assert gone == [], f"{theirs.__name__} of uvicorn {version('uvicorn')} does not have them"


@pytest.mark.parametrize("library", sorted({*LIBRARIES.values(), "httpx"}))
def test_a_library_with_used_private_members_is_pinned_below_its_next_minor_version(library):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = map(Requirement, (*project["dependencies"], *project["optional-dependencies"]["readmodel"]))
    (pin,) = [one.specifier for one in stated if one.name == library]
    installed = Version(version(library))
    assert installed in pin
    assert f"{installed.major}.{installed.minor + 1}" not in pin
