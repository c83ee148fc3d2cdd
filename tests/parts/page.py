"""The lines of configuration that docs/deploy.md gives for a part: the tests use these."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"


def lines(language: str) -> str:
    """Return the page's only block in a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(block)
