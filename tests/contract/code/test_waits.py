"""The bound of a wait in a test grows with the load of the machine: `eventually`, `within`, `slowness`."""

import ast

from tests.contract.code.product import ROOT

FOLDERS = ("browser", "contract", "process", "system")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / "tests" / folder).rglob("*.py"))
# The end of these waits is no failure: a pause, an interruption, an outcome that the test expects.
NO_BOUND = {
    "tests/system/clients/conftest.py",
    "tests/process/runtime/test_failed_connects.py",
    "tests/process/deliverer/test_stops.py",
}


def fixed_bounds(tree):
    """Return the lines with a bound in seconds that are the same on a busy machine."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(ast.Name("asyncio"), "timeout" | "wait_for")):
                yield node.lineno
            case ast.Compare(
                ast.BinOp(ast.Call(func=ast.Attribute(ast.Name("time"), "monotonic"))), [ast.Lt()], [most]
            ):
                if "slowness" not in ast.unparse(most):
                    yield node.lineno


def test_no_bound_of_a_test_is_the_same_on_a_busy_machine():
    found = {file.relative_to(ROOT).as_posix(): list(fixed_bounds(ast.parse(file.read_text()))) for file in FILES}
    assert {file: lines for file, lines in found.items() if lines and file not in NO_BOUND} == {}
    assert all(found[file] for file in NO_BOUND)
