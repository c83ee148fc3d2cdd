"""Sealed texts: JSON, encrypted and authenticated with the console's keys.

Browsers and terminals store them; only the console can decrypt them. A text for one purpose is invalid for another.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from runtime.credentials.key_ring import KeyRing
from schemas.sealing import Unopened

MOST_KEYS: Final = 2


class Sealer:
    """Seals and opens JSON objects with the keys of a file."""

    def __init__(self, key_file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises KeyFileError."""
        self._keys = KeyRing(key_file, MOST_KEYS, clock)

    def seal(self, purpose: str, content: dict[str, Any]) -> str:
        """Return the content as a compact JWE."""
        return self._keys.seal(purpose, json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())

    def open(self, purpose: str, sealed: str) -> dict[str, Any] | None:
        """Return the content; None if it was not sealed by us, was changed, or has another purpose."""
        opened = self._keys.open(purpose, sealed)
        try:
            content = None if isinstance(opened, Unopened) else json.loads(opened)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None
