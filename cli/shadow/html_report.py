"""The report of a shadow as one HTML file, without scripts: counts by caller and payer, and each difference. Pure."""

import html
from collections.abc import Iterable, Sequence
from typing import Final

from cli.shadow.comparison import Comparison, Verdict, counts
from schemas.times import format_time

_STYLE: Final = "body{font:14px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid}"
WORDS: Final = {
    Verdict.SAME: "same",
    Verdict.DIFFERENT: "different",
    Verdict.NOTHING: "nothing followed",
    Verdict.ALREADY_DONE: "already done when read",
    Verdict.VERSION_MOVED: "version moved",
    Verdict.UNDECIDED: "undecided",
}


def render(comparisons: Sequence[Comparison], title: str) -> str:
    """Return the page."""
    rows = [(caller, payer, *map(str, of.values())) for (caller, payer), of in counts(comparisons).items()]
    differences = [
        (format_time(case.at), case.authorization_id, case.caller, case.payer or "unknown", case.decided, case.followed)
        for case in comparisons
        if case.verdict is Verdict.DIFFERENT
    ]
    return "\n".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>",
            _table(("caller", "payer", *WORDS.values()), rows),
            "<h2>Different</h2>",
            _table(("time", "authorization", "caller", "payer", "the shadow", "then at Collate"), differences),
            "",
        )
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
