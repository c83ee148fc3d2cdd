"""The pages of the documents, their code blocks and the command lines in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "local/collate/README.md",
        ROOT / "helm/gateway/README.md",
    )
}


@dataclass(frozen=True)
class Line:
    """A command line of a page with its continued lines joined. `words` omits leading assignments."""

    page: str
    text: str
    words: tuple[str, ...]


def blocks(page, language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)


def slug(heading):
    """Return the anchor of a heading, as repository hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page):
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}


# One YAML block configures Alertmanager, not the chart.
VALUES = [block for block in blocks(PAGES["docs/deploy.md"], "yaml") if "inhibit_rules" not in block]


def shell_lines():
    """Yield each command line of the shell blocks, and of the indented blocks of top-level pages, in order."""
    for name, page in PAGES.items():
        text = "\n".join(blocks(page, "(?:sh|bash)"))
        if "/" not in name:
            prose = re.sub(r"^ *```.*?^ *```", "", page, flags=re.MULTILINE | re.DOTALL)
            text += "\n" + "\n".join(re.findall(r"^    (\S.*)$", prose, re.MULTILINE))
        for line in re.sub(r"\\\n\s*", " ", text).splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield Line(name, line.strip(), tuple(words))


LINES = tuple(shell_lines())
