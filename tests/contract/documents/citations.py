"""Citations in code and documents: files, sections, decisions and promises; and those that lead nowhere."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = (
    "adapters", "bench", "cli", "clients", "console", "consumers", "docs", "docs_build", "gateway", "helm", "local",
    "requirements", "runtime", "schemas", "tests",
)  # fmt: skip
CODE = frozenset({".py", ".md", ".toml", ".yaml", ".yml", ".tpl", ".txt", ".sh", ".cfg"})
# The last has wrong citations on purpose, for tests.
UNREAD = (
    "requirements/",
    "tests/contract/documents/test_citations.py",
)

# Pages that were outside the repository. Spelt in parts, so that this file does not cite them.
_OUTSIDE = "|".join(("collate-" + "api", "de" + "sign", "ho" + "use", "sty" + "le", "kaf" + "ka", "con" + "sole"))
OUTSIDE = re.compile(rf"(?<![\w/-])(?:{_OUTSIDE})\.md\b|\bshared/[\w-]+\.md\b")
_FOLDER = "|".join(FOLDERS)
# docs/deploy.md anywhere, `tests/system/gateway` in a document, docs/decisions/0005.
FILE = re.compile(rf"(?<![\w./$}}<-])(?:{_FOLDER})/[\w./-]+\.(?:py|md|json|toml|ya?ml|svg|txt|tpl)\b")
DIRECTORY = re.compile(rf"`((?:{_FOLDER})(?:/[\w.-]+)+)/?`")
# A file by its bare name: `lag_poller.py`.
NAME = re.compile(r"`([\w-]+\.(?:py|md))`")
SECTION = re.compile(
    r"(?:([\w/-]+\.md)`?\)?,?\s+)?§+ ?(\d+(?:\.\d+)?[a-z]?)((?:(?:,| and| to| or) §? ?\d+(?:\.\d+)?[a-z]?)*)"
)
WORDED = re.compile(r"\b[Ss]ections? \d+(?:\.\d+)*")
# Standards have sections too.
STANDARD = re.compile(r"(?:RFC ?\d+|CloudEvents(?: 1\.0)?|W3C|Webhooks|OpenAPI|AsyncAPI)[,:(]? ?$")
DECISION = re.compile(r"\b[Dd]ecisions?[ /](\d{4})\b")
EVENT = re.compile(r"log event \"([\w.]+)\"(?: or \"([\w.]+)\")?")
PROMISE = re.compile(r"\bpromises? (\d+)\b")
CONTRACT = "docs/collate-contract.md"


def texts() -> Iterator[tuple[str, str]]:
    """Yield path and text of each file of the repository that people write or read."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in CODE | {""}]
    for path in (*top, *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))):
        name = path.relative_to(ROOT).as_posix()
        if (
            path.is_file()
            and (path.suffix in CODE or path in top)
            and not name.startswith(UNREAD)
            and not {"__pycache__", "node_modules"} & {*path.parts}
        ):
            yield name, path.read_text(encoding="utf-8")


def wrong_in(name: str, text: str) -> list[str]:
    """Return what a file cites and the repository does not have."""
    return [
        f"{name}: {citation}"
        for citation in (*_outside(text), *_files(text), *_sections(text), *_numbers(text), *_events(text))
    ]


def _outside(text: str) -> Iterator[str]:
    yield from (f"{found[0]} is not in the repository" for found in OUTSIDE.finditer(text))


def _files(text: str) -> Iterator[str]:
    cited = [found[0] for found in FILE.finditer(text)] + [found[1] for found in DIRECTORY.finditer(text)]
    yield from (path for path in cited if not (ROOT / path).exists() and "NNNN" not in path)
    yield from (found[1] for found in NAME.finditer(text) if found[1] not in names())


@cache
def names() -> frozenset[str]:
    """Return the name of each file of the repository, without its folder."""
    folders = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return frozenset(path.name for path in (*ROOT.iterdir(), *folders))


def _sections(text: str) -> Iterator[str]:
    for found in SECTION.finditer(text):
        page, first, more = found[1] or CONTRACT, found[2], found[3]
        if found[1] is None and STANDARD.search(text[: found.start()]):
            continue
        numbers = {first, *re.findall(r"\d+(?:\.\d+)?[a-z]?", more)}
        yield from (f"{page} §{number}" for number in sorted(numbers - headings(page)))
    for found in WORDED.finditer(text):
        if not STANDARD.search(text[max(0, found.start() - 40) : found.start()]):
            yield f"{found[0]!r} of no page (write: page.md §N)"


def headings(page: str) -> set[str]:
    """Return the numbers of a page's numbered headings; a page of docs/ may be named without its folder."""
    for path in (ROOT / page, ROOT / "docs" / page):
        if path.exists():
            return set(re.findall(r"^#+ (\d+(?:\.\d+)?[a-z]?)\.? ", path.read_text(encoding="utf-8"), re.MULTILINE))
    return set()


def _numbers(text: str) -> Iterator[str]:
    for found in DECISION.finditer(text):
        if not any((ROOT / "docs" / "decisions").glob(f"{found[1]}-*.md")):
            yield f"decision {found[1]}"
    for found in PROMISE.finditer(text):
        promises = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Promises")[2]
        if not re.search(rf"^{found[1]}\. ", promises, re.MULTILINE):
            yield f"promise {found[1]}"


def _events(text: str) -> Iterator[str]:
    cited = {name for found in EVENT.finditer(text) for name in found.groups() if name}
    yield from (f"log event {name}" for name in sorted(cited) if f'"{name}"' not in product())


@cache
def product() -> str:
    """Return the source of all processes."""
    folders = ("cli", "console", "gateway", "consumers", "adapters", "runtime")
    return "\n".join(path.read_text(encoding="utf-8") for one in folders for path in (ROOT / one).rglob("*.py"))
