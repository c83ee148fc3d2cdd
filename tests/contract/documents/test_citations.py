"""What code and documents cite is in the repository."""

import re

import pytest

from tests.contract.documents.citations import CONTRACT, headings, texts, wrong_in

FILES = dict(texts())
PRODUCT = "\n".join(text for name, text in FILES.items() if name.endswith(".py"))


def test_every_kind_of_file_is_read():
    assert {"README.md", "Makefile", CONTRACT, "consumers/worker.py", "helm/gateway/values.yaml"} <= FILES.keys()
    assert {"0", "5.1", "10b", "11"} <= headings(CONTRACT)


def test_every_cited_file_section_decision_and_promise_exists():
    assert [wrong for name, text in FILES.items() for wrong in wrong_in(name, text)] == []


def test_every_class_in_the_glossary_exists():
    named = set(re.findall(r"\| `([A-Z]\w+)` \|$", FILES["docs/glossary.md"], re.MULTILINE))
    assert len(named) > 30
    assert [name for name in sorted(named) if not re.search(rf"^(?:class )?{name}\b", PRODUCT, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "text",
    [
        "as collate-api.md says",
        "in shared/notes.md",
        "see docs/deploy-guide.md",
        "`tests/unit/nowhere/test_x.py`",
        "the folder `consumers/nobody`",
        "(docs/collate-contract.md §5.9)",
        "(docs/collate-contract.md §5.1, §12)",
        "(§12)",
        "of section 7",
        "(docs/decisions/0099)",
        "decision 0099 says",
        "promise 12",
        'the log event "engine.nothing_happened"',
    ],
)
def test_a_citation_that_leads_nowhere_is_found(text):
    assert wrong_in("planted", text)
