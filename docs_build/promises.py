"""The tests of each promise: the table in docs/architecture.md, from the marks `promise(…)` of the tests."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docs_build.markdown import table

TESTS: Final = Path(__file__).parents[1] / "tests"


def marked(tests: Path = TESTS) -> dict[int, list[str]]:
    """Return the files of each promise, below the folder of the tests, sorted."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.promise(" in text:
            for number in sorted(set(_numbers(ast.parse(text)))):
                found[number].append(path.relative_to(tests).as_posix())
    return dict(sorted(found.items()))


def part() -> str:
    """Return the table."""
    rows = ((str(number), ", ".join(f"`{path}`" for path in paths)) for number, paths in marked().items())
    return table(("promise", "files below `tests`"), rows)


def _numbers(module: ast.Module) -> Iterator[int]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
            yield from (ast.literal_eval(argument) for argument in node.args)
