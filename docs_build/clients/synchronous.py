"""The synchronous client, made from the asynchronous one: the same code without `await`.

Each word of `_WORDS` is replaced; ruff formats the result. httpcore and psycopg make theirs in the same way.
"""

import re
from collections.abc import Mapping
from typing import Final

from docs_build.clients.formatting import ROOT, formatted

CLIENT: Final = "clients/python/collate_gateway_client"
# Each half has its own: what a credential may be differs.
_BY_HAND: Final = frozenset({"__init__.py", "authorize.py"})
_HEAD: Final = "# Made by `make docs` from {source}; don't edit.\n"
_WORDS: Final = {
    r"async def ": "def ",
    r"async for ": "for ",
    r"async with ": "with ",
    r"\bawait ": "",
    r"\banext\(": "next(",
    r"\b__aenter__\b": "__enter__",
    r"\b__aexit__\b": "__exit__",
    r"\b__aiter__\b": "__iter__",
    r"\b__anext__\b": "__next__",
    r"\baclose\b": "close",
    r"\baiter_bytes\b": "iter_bytes",
    r"\bStopAsyncIteration\b": "StopIteration",
    r"\basynccontextmanager\b": "contextmanager",
    r"\bAbstractAsyncContextManager\b": "AbstractContextManager",
    r"\basyncio\.sleep\b": "time.sleep",
    r"^import asyncio\n": "",
    r"\bAsync(?=[A-Z])": "",
    r"\basynchronous\b": "synchronous",
}


def synchronous_files() -> Mapping[str, str]:
    """Return the text of each file of the synchronous client by its path below the root."""
    found = {}
    for source in sorted((ROOT / CLIENT / "asynchronous").glob("*.py")):
        if source.name in _BY_HAND:
            continue
        path = f"{CLIENT}/synchronous/{source.name}"
        head = _HEAD.format(source=f"asynchronous/{source.name}")
        found[path] = formatted(head + synchronous(source.read_text(encoding="utf-8")), path)
    return found


def synchronous(text: str) -> str:
    """Return the synchronous text of an asynchronous module."""
    for word, replacement in _WORDS.items():
        text = re.sub(word, replacement, text, flags=re.MULTILINE)
    return text
