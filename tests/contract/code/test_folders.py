"""A folder has at most 16 Python files: beyond that a reader no longer sees its subjects (CONTRIBUTING.md)."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = (
    "adapters",
    "bench",
    "clients/python",
    "consumers",
    "docs_build",
    "gateway",
    "local",
    "offline",
    "runtime",
    "schemas",
    "tests",
)
MOST_FILES = 16


def test_no_folder_has_more_files_than_a_reader_can_take_in():
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    counted = Counter(str(file.parent.relative_to(ROOT)) for file in files)
    assert {folder: count for folder, count in counted.items() if count > MOST_FILES} == {}
