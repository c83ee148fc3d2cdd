"""`make docs ARGS=--site`: build the site of the documents into dist/site. A warning is an error."""

import io
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx
from sphinx.util.console import nocolor

from docs_build.site import pages, reference, topics

_OWN: Final = Path(__file__).parent
_LEFT_OUT: Final = ("clients/", "requirements/")
_OPTIONS: Final = {
    "root_doc": "index",
    "project": "Collate handoff gateway",
    "html_title": "Collate handoff gateway",
    "extensions": ["myst_parser"],
    "myst_enable_extensions": ["attrs_inline", "deflist"],
    "myst_heading_anchors": 6,
    "highlight_language": "text",
    "html_theme": "furo",
    "html_static_path": [str(_OWN / "static")],
    "html_css_files": ["site.css"],
    "html_search_scorer": str(_OWN / "scorer.js"),
    "html_copy_source": False,
    "html_use_index": False,
    "html_show_copyright": False,
}


class SiteFailed(Exception):
    """Sphinx has warned. The text has each warning, with the page and the line."""


def build(root: Path, target: Path) -> None:
    """Build the site of a git checkout into a folder, which it replaces. Raises SiteFailed."""
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603 -- ours
    files = listed.stdout.splitlines()
    texts = {
        path: (root / path).read_text() for path in files if path.endswith(".md") and not path.startswith(_LEFT_OUT)
    }
    published = root / "schemas" / "published"
    found = pages.sources(texts, files)
    found |= reference.pages((published / "openapi.json").read_text())
    found |= topics.pages((published / "asyncapi.json").read_text())
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory)
        for path, text in found.items():
            _place(source / path).write_text(text)
        for path in files:
            if not path.endswith(".md"):
                shutil.copyfile(root / path, _place(source / path))
        render(source, target)


def render(source: Path, target: Path) -> None:
    """Turn a folder of Markdown into a site, which replaces the target. Raises SiteFailed."""
    shutil.rmtree(target, ignore_errors=True)
    warnings = io.StringIO()
    nocolor()
    with tempfile.TemporaryDirectory() as trees:
        Sphinx(source, None, target, trees, "html", _OPTIONS, status=None, warning=warnings).build()
    (target / ".buildinfo").unlink()  # a digest of the options, which name this folder
    if found := warnings.getvalue():
        raise SiteFailed(found.replace(f"{source}/", ""))


def _place(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
