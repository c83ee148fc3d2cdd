"""The terminal of an operator shows the characters of stored texts that would deceive it as codes."""

import pytest
from rich.table import Table
from rich.text import Text

from cli.formatting import console
from cli.terminal import print_json

STORED = "a\x9b31mb\u202ec\x1b[2Jd"


def table():
    made = Table()
    made.add_column("why")
    made.add_row(Text(STORED))
    return made


# A cell of a table has the width of the stored text, so its end may be cut.
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (STORED, "a\\u{009b}31mb\\u{202e}c\\u{001b}[2Jd"),
        (Text(STORED), "a\\u{009b}31mb\\u{202e}c\\u{001b}[2Jd"),
        (table(), "a\\u{009b}"),
    ],
    ids=["text", "styled", "table"],
)
def test_a_deceiving_character_is_shown_as_its_code(capsys, monkeypatch, made, expected):
    monkeypatch.setenv("COLUMNS", "200")
    console().print(made)
    shown = capsys.readouterr().out
    assert not {"\x9b", "\u202e", "\x1b"} & set(shown)
    assert expected in shown


def test_json_for_programs_has_escapes(capsys):
    print_json({"why": STORED})
    assert capsys.readouterr().out == '{"why":"a\\u009b31mb\\u202ec\\u001b[2Jd"}\n'
