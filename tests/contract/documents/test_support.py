"""What the owner must give has its lines, and they are still there to change; what is frozen has its test."""

import re

import pytest

from tests.contract.documents.pages import PAGES, ROOT

ROWS = [line for line in PAGES["docs/before-you-publish.md"].splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("SECURITY.md", "CONTACT: not filled in yet"),
        ("docs/support.md", "OWNER: not filled in yet"),
        ("pyproject.toml", "Private :: Do Not Upload"),
        ("clients/python/pyproject.toml", "Private :: Do Not Upload"),
        ("clients/typescript/package.json", '"private": true'),
    ],
)
def test_a_line_for_the_owner_is_still_there_and_the_page_names_it(file, line):
    assert line in (ROOT / file).read_text()
    mark = line.partition(":")[0].strip('"') if "::" not in line else line
    assert [row for row in ROWS if f"`{mark}`" in row], f"before-you-publish.md names no `{mark}`"


def test_before_you_publish_has_only_rows_of_the_owner_with_a_place_to_change():
    assert len(ROWS) > 5
    assert [row for row in ROWS if row.count("|") != 3 or not re.search(r"`|\]\(|the owner's", row)] == []
    assert "## " not in PAGES["docs/before-you-publish.md"], "how to build and sign stands in changing.md"


def test_what_a_release_freezes_is_held_by_tests_that_exist():
    frozen = PAGES["docs/support.md"].partition("## What a release freezes")[2].partition("<!-- End")[0]
    rows = [line for line in frozen.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 4
    for row in rows:
        tests = re.findall(r"`(tests/[^`]+)`", row.rpartition(" | ")[2])
        assert tests
        assert [one for one in tests if not (ROOT / one).exists()] == []
