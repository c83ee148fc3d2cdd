"""Claims of pages that were wrong once, each compared with what it is about."""

import re

import pytest

from local.drills.catalogue import DRILLS
from tests.contract.documents.pages import PAGES, ROOT

NUMBER = r"(?:\d[\d,]*|\w+ty|\w+teen|(?:a )?hundred)"


def sentences(page):
    return re.split(r"(?<=[.:;])\s+|\n\n|\n\|", page)


def test_no_sentence_counts_the_lines_of_an_example():
    counted = re.compile(rf"\b{NUMBER} lines\b")
    assert [
        (name, one)
        for name, page in PAGES.items()
        for one in sentences(page)
        if "examples/" in one and counted.search(one)
    ] == []


def test_decision_0018_names_each_module_that_imports_the_client():
    (line,) = [one for one in PAGES["docs/decisions/0018-clients.md"].splitlines() if "Used by ourselves" in one]
    rooms = ("cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas", "local")
    importers = {
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"^\s*(?:from|import) collate_gateway_client\b", path.read_text(), re.MULTILINE)
    }
    assert set(re.findall(r"`([\w/]+\.py)`", line)) == importers


def test_the_evidence_of_recovery_is_a_drill_in_which_something_is_lost_and_restored():
    (row,) = [line for line in PAGES["docs/compliance.md"].splitlines() if "recovery |" in line]
    (name,) = re.findall(r"make drill ARGS=([\w-]+)", row)
    source = ROOT.joinpath(*type(DRILLS[name]).__module__.split(".")).with_suffix(".py").read_text()
    assert 'operator.types("migrate")' in source


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_measured_speed_or_time_of_a_request_stands_only_where_a_command_measures_it(name):
    """The decisions are records of their day; a table of capacity.md names the command of each row."""
    if name.startswith("docs/decisions/") or name == "CHANGELOG.md":
        return
    page = re.sub(r"^## What was measured$.*?(?=^## |\Z)", "", PAGES[name], flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r".*\d (?:µs|requests/s)\b.*", page) == []
