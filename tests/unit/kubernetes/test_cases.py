import re

from tests.cluster.cases import CASES
from tests.contract.documents.pages import ROOT


def test_the_page_lists_the_cases_in_their_order():
    page = (ROOT / "docs" / "cluster" / "README.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(CASES)
