"""The style sheet and the script: small, and without anything that the content security policy forbids."""

import re
from pathlib import Path

import console

CONSOLE = Path(console.__file__).parent
CSS = (CONSOLE / "static/console.css").read_text(encoding="utf-8")
JS = (CONSOLE / "static/console.js").read_text(encoding="utf-8")
TEMPLATES = list((CONSOLE / "templates").rglob("*.html"))


def test_the_style_sheet_is_small_and_loads_nothing():
    assert len(CSS.encode()) <= 15 << 10
    assert not re.search(r"url\(|@import|@font-face", CSS)
    for feature in ("light-dark(", "@media print", "forced-colors", "prefers-reduced-motion"):
        assert feature in CSS


def test_the_script_evaluates_no_text_and_writes_no_style():
    assert len(JS.encode()) <= 18 << 10
    assert not re.search(r"\beval\(|new Function|document\.write|\.style\b|setTimeout\(\s*[\"']", JS)


def test_every_word_that_the_script_shows_stands_in_a_template():
    base = (CONSOLE / "templates/base.html").read_text(encoding="utf-8")
    for name in set(re.findall(r"say\(\"(\w+)\"", JS)):
        attribute = "data-" + re.sub(r"([A-Z])", lambda found: "-" + found[1].lower(), name)
        assert f'{attribute}="' in base, name


def test_no_template_turns_escaping_off():
    for template in TEMPLATES:
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape false|\{%-?\s*autoescape", text), template.name
