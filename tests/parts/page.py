"""The lines of configuration that a page of docs/ gives for a part: the tests use these."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def lines(language: str, page: str = "deploy.md", having: str = "") -> str:
    """Return the page's only block in a language that has some words."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if having in block)
    return str(block)
