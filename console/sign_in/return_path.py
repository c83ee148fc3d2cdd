"""The page to show after the sign-in: a path of this console and nothing else (no open redirect)."""

import re
from typing import Final

HOME: Final = "/"
MOST_CHARACTERS: Final = 1_000
# One slash, then no slash or backslash: browsers read `//host` and `/\host` as another host. Then visible ASCII only:
# browsers remove tabs and line breaks, so `/<tab>/host` would become `//host`.
_LOCAL: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")
# A return to the sign-in or the sign-out would be a loop.
_NEVER: Final = ("/sign-in", "/sign-out", "/signed-out", "/static/")


def safe_return_path(path: str | None) -> str:
    """Return the path if it is one of ours, else the overview."""
    if path is None or len(path) > MOST_CHARACTERS or not _LOCAL.fullmatch(path) or path.startswith(_NEVER):
        return HOME
    return path
