"""The tests of each promise: the table in docs/architecture.md, from the marks `promise(…)` of the tests."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BEGIN: Final = "<!-- Made by `make docs` from the marks of the tests; don't edit. -->\n"
END: Final = "<!-- End of the tests -->\n"
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


def put_into(page: str) -> str:
    """Return the page with the table between its marks."""
    head, _, rest = page.partition(BEGIN)
    rows = "".join(f"| {number} | {', '.join(f'`{path}`' for path in paths)} |\n" for number, paths in marked().items())
    return (
        head + BEGIN + "\n| promise | files below `tests` |\n|---|---|\n" + rows + "\n" + END + rest.partition(END)[2]
    )


def _numbers(module: ast.Module) -> Iterator[int]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
            yield from (ast.literal_eval(argument) for argument in node.args)
