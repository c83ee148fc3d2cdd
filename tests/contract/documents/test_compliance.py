"""What auditors read: named tests exist, a test runs the evidence or a release marks it, and the rest is yours."""

import re
import shlex
from dataclasses import fields

import pytest

from console.pages.workbench.confirmation import SECONDS, Confirmation
from runtime.settings import ConsoleSettings
from tests.contract.documents.citations import names
from tests.contract.documents.pages import LINES, PAGES, ROOT

PAGE = PAGES["docs/compliance.md"]
# These take minutes or more, so no test runs them as the page has them.
BY_HAND = ("drill", "bench", "chaos", "sbom")


def rows(page, *columns):
    """Yield the cells of each row of the tables with these columns."""
    inside = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        inside = bool(cells) and (inside or set(columns) <= set(cells))
        if inside and set(columns) <= set(cells):
            head = cells
        elif inside and set(line) - set("|-"):
            yield dict(zip(head, cells, strict=True))


ROWS = list(rows(PAGE, "requirement", "evidence"))


def codes(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["requirement"].partition(":")[0])
def test_a_row_names_its_evidence_and_a_duty(row):
    assert re.match(r"(HIPAA 164\.312|HIPAA proposal|CC|A1|C1|PI1)", row["requirement"])
    assert row["control"]
    assert row["your duty"]
    (command,) = codes(row["evidence"].partition(" (")[0])
    words = tuple(shlex.split(command))
    run = [line for line in LINES if line.words[: len(words)] == words]
    is_by_hand = words[0] == "make" and words[1] in BY_HAND
    assert ("*at release*" in row["evidence"]) == is_by_hand
    assert is_by_hand or run


@pytest.mark.parametrize(
    ("page", "column"),
    [("docs/compliance.md", "test"), ("docs/data-protection.md", "test"), ("docs/threat-model.md", "tests")],
)
def test_each_statement_names_tests_that_exist_or_is_yours(page, column):
    found = list(rows(PAGES[page], column))
    assert len(found) > 15
    for row in found:
        tests = codes(row[column])
        assert tests or row[column] == "yours", row
        assert [one for one in tests if not (ROOT / one).exists() and one not in names()] == []


def test_the_ends_of_a_session_are_those_of_the_settings():
    (row,) = [row for row in ROWS if "automatic logoff" in row["requirement"]]
    settings = ConsoleSettings()
    ends = (settings.idle_after.total_seconds() / 60, settings.handoff_idle_after.total_seconds() / 60)
    life = settings.session_life.total_seconds() / 3600
    assert [int(number) for number in re.findall(r"\d+", row["control"])] == [*ends, life]


def test_the_cookie_that_is_not_encrypted_has_what_the_page_says():
    (row,) = [row for row in rows(PAGES["docs/data-protection.md"], "place") if row["place"].startswith("cookies")]
    content = row["content"].partition("`accepted`, not encrypted: ")[2]
    assert content.startswith("ids, kind, times, outcome and reason of one command")
    said = {"id", "handoff_id", "kind", "at", "seen_at", "status", "outcome", "reason"}
    assert {field.name for field in fields(Confirmation)} == said
    assert f"`accepted` {SECONDS // 60} min" in row["kept"]


def test_the_inventory_has_each_part_with_a_network_policy():
    templates = (ROOT / "helm/gateway/templates/networkpolicies.yaml").read_text()
    policies = set(re.findall(r'"component" "(\w+)" ', templates.partition("networkPolicy.enabled }}")[2]))
    assert {row["part"] for row in rows(PAGE, "part", "runs as")} == policies - {"test"}


def test_no_page_calls_itself_or_a_reader_compliant():
    assert [name for name, page in PAGES.items() if re.search(r"\bcompliant\b", page, re.IGNORECASE)] == []
