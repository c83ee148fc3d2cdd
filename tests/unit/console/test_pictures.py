"""docs/console.md shows every picture of `make screenshots`, light and dark, and no other."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS.parent / "docs/console.md"
IMAGES = DOCS / "images"
MOST_BYTES = 250_000


def test_the_page_shows_every_picture_in_both_schemes_and_each_is_small():
    shown = set(re.findall(r'"images/([^"]+)"', PAGE.read_text(encoding="utf-8")))
    light = {name for name in shown if name.endswith("-light.png")}
    assert len(light) == 5
    assert shown == light | {name.replace("-light", "-dark") for name in light}
    assert {path.name for path in IMAGES.glob("console-*.png")} == shown
    assert all((IMAGES / name).stat().st_size <= MOST_BYTES for name in shown)
