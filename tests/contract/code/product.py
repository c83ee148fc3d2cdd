"""The product's syntax trees, parsed once for all tests that read the code."""

import ast
import gc
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("adapters", "cli", "console", "consumers", "gateway", "runtime")


@cache
def nodes():
    """Return all nodes of each file, by its path below the root."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    found = {str(file.relative_to(ROOT)): list(ast.walk(ast.parse(file.read_text()))) for file in files}
    gc.freeze()  # a quarter of a million objects that stay, so that the collector need not read them
    return found
