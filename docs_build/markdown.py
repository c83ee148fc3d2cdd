"""What the generated pages share: tables, and the part of a page between two marks."""

from collections.abc import Iterable, Sequence
from typing import Final

MADE: Final = "<!-- Made by `make docs`; don't edit. -->\n"
END: Final = "<!-- End -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    first, *others = (f"| {' | '.join(row)} |\n" for row in (head, *rows))
    return "".join((first, f"|{'---|' * len(head)}\n", *others))


def put_into(page: str, part: str) -> str:
    """Return the page with a new part between its marks."""
    head, _, rest = page.partition(MADE)
    return f"{head}{MADE}\n{part}\n{END}{rest.partition(END)[2]}"
