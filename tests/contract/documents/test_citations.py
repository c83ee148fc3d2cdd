"""What code and documents cite is in the repository."""

import re

from tests.contract.documents.citations import texts, wrong_in

FILES = dict(texts())
PRODUCT = "\n".join(text for name, text in FILES.items() if name.endswith(".py"))


def test_every_cited_file_section_decision_and_promise_exists():
    assert [wrong for name, text in FILES.items() for wrong in wrong_in(name, text)] == []


def test_every_class_in_the_glossary_exists():
    named = set(re.findall(r"\| `([A-Z]\w+)` \|$", FILES["docs/glossary.md"], re.MULTILINE))
    assert len(named) > 30
    assert [name for name in sorted(named) if not re.search(rf"^(?:class )?{name}\b", PRODUCT, re.MULTILINE)] == []
