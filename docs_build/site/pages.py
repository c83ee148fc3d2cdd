"""The repository's pages as sources of the site: the same text, with links that lead to pages of the site. Pure."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from docs_build.site.navigation import contents, tree, ways_in

_HOME: Final = "README.md"
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
_PICTURE: Final = re.compile(r'<picture>.*?<img src="([^"]+)" alt="([^"]+)">\s*</picture>', re.DOTALL)
_IMAGE: Final = re.compile(r"(!\[[^\]]*\]\()(\S+)-light\.png\)")
_FENCED: Final = re.compile(r"(^ *```.*?^ *```\n)", re.DOTALL | re.MULTILINE)
_LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".json": "json"}
# The reference shows the content of these folders.
_SHOWN: Final = {
    "schemas/published": "reference/index.md",
    "schemas/published/events": "reference/topic-events.md",
    "schemas/published/records": "reference/topic-others.md",
}
_DECISIONS: Final = "docs/decisions"


def sources(pages: Mapping[str, str], files: Iterable[str]) -> dict[str, str]:
    """Return the sources by path. `pages` has the text of each page by its path, `files` every file's path."""
    site = _Links(frozenset(pages), frozenset(files))
    found = {path: "".join(site.rewrite(path, part) for part in _FENCED.split(text)) for path, text in pages.items()}
    before, heading, after = found.pop(_HOME).partition("## ")
    found["index.md"] = before + ways_in() + heading + after + contents()
    decisions = tuple(path.removesuffix(".md") for path in sorted(pages) if path.startswith(f"{_DECISIONS}/"))
    found[f"{_DECISIONS}/index.md"] = f"# Decisions\n{tree(decisions)}"
    return found | site.shown()


class _Links:
    """The links of the pages; it collects the files that they lead to."""

    def __init__(self, pages: frozenset[str], files: frozenset[str]) -> None:
        self._pages = pages
        self._files = files
        self._linked: set[str] = set()

    def rewrite(self, page: str, text: str) -> str:
        """Return a part of a page with links and pictures as the site has them."""
        if text.lstrip().startswith("```"):
            return text
        text = _PICTURE.sub(r"![\2](\1)", text)
        text = _IMAGE.sub(r"\1\2-light.png){.only-light}\1\2-dark.png){.only-dark}", text)
        return _LINK.sub(lambda found: self._target(page, found[1]), text)

    def shown(self) -> dict[str, str]:
        """Return a page for each file and folder that a page links."""
        return {f"files/{path}.md": self._shown(path) for path in sorted(self._linked)}

    def _target(self, page: str, link: str) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
        if path == _HOME:
            return "/index.md"
        if path in _SHOWN:
            return f"/{_SHOWN[path]}"
        if path == _DECISIONS:
            return f"/{path}/index.md"
        is_folder = any(file.startswith(f"{path}/") for file in self._files)
        if path in self._pages or path.endswith((".png", ".json")) or not (is_folder or path in self._files):
            return link  # to a page or a file that the site has, or to nothing, which the build reports
        self._linked.add(path)
        if is_folder:
            self._linked |= self._inside(path)
        return f"/files/{path}.md"

    def _inside(self, folder: str) -> set[str]:
        return {file for file in self._files if posixpath.dirname(file) == folder}

    def _shown(self, path: str) -> str:
        head = f"---\norphan: true\nnosearch: true\n---\n# {path}\n\n"
        if inside := sorted(self._inside(path)):
            return head + "".join(f"- [{posixpath.basename(file)}](/files/{file}.md)\n" for file in inside)
        suffix = PurePosixPath(path).suffix
        if suffix == ".svg":
            return f"{head}![{path}](/{path})\n"
        return f"{head}```{{literalinclude}} /{path}\n:language: {_LANGUAGES.get(suffix, 'text')}\n```\n"
