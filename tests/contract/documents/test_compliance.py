"""Each row of docs/compliance.md names tests that exist, and evidence that a test runs or a release marks."""

import re
import shlex

import pytest

from tests.contract.documents.pages import LINES, PAGES, ROOT

PAGE = PAGES["docs/compliance.md"]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][
    1:
]


def codes(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].partition(":")[0])
def test_a_row_names_its_tests_its_evidence_and_a_duty(row):
    requirement, control, tests, evidence, duty = row
    assert re.match(r"(HIPAA 164\.312|CC|A1|C1|PI1)", requirement)
    assert control
    assert duty
    assert [path for path in codes(tests) if not (ROOT / path).exists()] == []
    assert codes(tests)
    (command,) = codes(evidence)
    words = shlex.split(command)
    is_run = any(words == list(line.words)[: len(words)] for line in LINES)
    assert is_run or "*at release*" in evidence
