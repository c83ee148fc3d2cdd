"""An SVG of a console's output, for the README. It loads no font, so it looks the same everywhere."""

import re
from inspect import signature
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

# The width of the demo's longest line. A page shows the picture at about half of its size.
WIDTH = 120
_FETCHED_FONTS = re.compile(r"@font-face \{\{.*?\n    \}\}\s*", re.DOTALL)
_FONTS = "font-family: Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace;"
_OF_RICH = signature(Console.export_svg).parameters["code_format"].default
_FORMAT = _FETCHED_FONTS.sub("", _OF_RICH).replace("font-family: Fira Code, monospace;", _FONTS)


def recording_console() -> Console:
    """Return a console that records its output."""
    return Console(highlight=False, soft_wrap=True, record=True, width=WIDTH)


def draw(console: Console, path: Path, title: str) -> None:
    """Write the console's output so far as an SVG."""
    # rich derives the id from the content. A fixed id keeps the diff of the file small.
    svg = console.export_svg(
        title=title, theme=DIMMED_MONOKAI, code_format=_FORMAT, unique_id=title.replace(" ", "-"), clear=False
    )
    path.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()))
