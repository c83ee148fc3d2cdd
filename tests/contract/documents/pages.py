"""The documents as a reader meets them: pages, their blocks of code, and every command line in those."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "local" / "collate" / "README.md")
}


@dataclass(frozen=True)
class Line:
    """One command line of a page, continued lines joined; `words` without the assignments before it."""

    page: str
    text: str
    words: tuple[str, ...]


def blocks(page, language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)


def shell_lines():
    """Every command line of every shell block, and of README's indented ones, in their order."""
    for name, page in PAGES.items():
        text = "\n".join(blocks(page, "(?:sh|bash)"))
        if name == "README.md":
            text += "\n" + "\n".join(re.findall(r"^    (\S.*)$", page, re.MULTILINE))
        for line in re.sub(r"\\\n\s*", " ", text).splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield Line(name, line.strip(), tuple(words))


LINES = tuple(shell_lines())
