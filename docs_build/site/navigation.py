"""The contents of the site by reader, from navigation.toml."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_READERS: Final[dict[str, list[str]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def ways_in() -> str:
    """Return the way in of each reader, a part of the home page."""
    rows = "".join(f"| **{reader}** | {_links(pages[:3])} |\n" for reader, pages in _READERS.items())
    return f"## Where to begin\n\n| to | read |\n|---|---|\n{rows}\n"


def contents() -> str:
    """Return the contents of all readers."""
    return "".join(tree(pages, f":hidden:\n:caption: {reader}") for reader, pages in _READERS.items())


def tree(pages: Iterable[str], options: str = ":maxdepth: 1") -> str:
    """Return the contents of some pages."""
    return f"\n```{{toctree}}\n{options}\n\n" + "".join(f"/{page}\n" for page in pages) + "```\n"


def _links(pages: Iterable[str]) -> str:
    return " · ".join(f"[](/{page}.md)" for page in pages)
