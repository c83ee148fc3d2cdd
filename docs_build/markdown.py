"""What the generated pages share: tables, and the part of a page between two marks."""

from collections.abc import Iterable, Sequence
from typing import Final

MADE: Final = "<!-- Made by `make docs`; don't edit. -->\n"
END: Final = "<!-- End -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    first, *others = (f"| {' | '.join(row)} |\n" for row in (head, *rows))
    return "".join((first, f"|{'---|' * len(head)}\n", *others))


def put_into(page: str, *parts: str) -> str:
    """Return the page with new parts, each between its marks."""
    head, _, rest = page.partition(MADE)
    rest = rest.partition(END)[2]
    return f"{head}{MADE}\n{parts[0]}\n{END}{put_into(rest, *parts[1:]) if parts[1:] else rest}"
