import re

from docs_build.promises import marked
from tests.contract.documents.pages import PAGES


def test_each_promise_is_proved_on_real_servers():
    promises = PAGES["docs/architecture.md"].partition("## Promises")[2]
    proved = {number for number, paths in marked().items() if any(path.startswith("system/") for path in paths)}
    assert proved == set(map(int, re.findall(r"^(\d+)\. \*\*", promises, re.MULTILINE)))
