"""The lint check of class names: each public class of the product has a name of its own. `make lint` runs it.

Two classes with one name confuse readers, searches and imports.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "cli", "console", "consumers", "gateway", "runtime", "schemas")
# A name that several modules may define, with the reason.
ALLOWED: Mapping[str, str] = {}


def find_problems(sources: Mapping[str, str], allowed: Mapping[str, str]) -> list[str]:
    """Return a problem for each repeated class name, and for each allowed name that is not repeated.

    Args:
        sources: the text of each module, by its path.
        allowed: the names that may be repeated, each with its reason.
    """
    modules: defaultdict[str, set[str]] = defaultdict(set)
    for path, text in sources.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].add(path)
    repeated = {name: paths for name, paths in modules.items() if len(paths) > 1}
    return [
        f"class {name} is defined in {', '.join(sorted(paths))}: rename all but one"
        for name, paths in sorted(repeated.items())
        if name not in allowed
    ] + [f"class {name} is allowed to be repeated, but is not" for name in sorted(allowed.keys() - repeated.keys())]


def main() -> int:
    """Print the problems; return 1 if there is one."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    problems = find_problems({str(file.relative_to(ROOT)): file.read_text() for file in files}, ALLOWED)
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
