"""What was told on a recording console, as an SVG for the README: it loads nothing, so it looks the same everywhere."""

import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

# As wide as the longest line of the story; a page shows it at about half its size.
WIDTH = 120
_FETCHED_FONTS = re.compile(r"@font-face \{\{.*?\n    \}\}\s*", re.DOTALL)
_FONTS = "font-family: Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace;"
_FORMAT = _FETCHED_FONTS.sub("", CONSOLE_SVG_FORMAT).replace("font-family: Fira Code, monospace;", _FONTS)


def recording_console() -> Console:
    """Make a console whose output can be drawn."""
    return Console(highlight=False, soft_wrap=True, record=True, width=WIDTH)


def draw(console: Console, path: Path, title: str) -> None:
    """Write what the console has shown so far."""
    # One id for the same title: rich's own depends on the content, and every line of the file would change with it.
    svg = console.export_svg(
        title=title, theme=DIMMED_MONOKAI, code_format=_FORMAT, unique_id=title.replace(" ", "-"), clear=False
    )
    path.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()))
