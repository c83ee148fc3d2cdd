"""The lines of configuration that a page of docs/ gives for a part: the tests use these."""

from tests.contract.documents.pages import PAGES, ROOT, blocks

DOCS = ROOT / "docs"


def lines(language: str, page: str = "deploy.md", having: str = "") -> str:
    """Return the page's only block in a language that has some words."""
    (block,) = (block for block in blocks(PAGES[f"docs/{page}"], language) if having in block)
    return str(block)
