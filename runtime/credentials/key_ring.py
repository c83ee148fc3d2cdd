"""A ring of symmetric keys from a file: the first encrypts, all decrypt.

The file has one key a line: 32 random bytes in base64, then the day of its first use, if known. So a rotation adds the
new key last everywhere, moves it to the front, and removes the old key when nothing needs it any more. Each sealed text
contains its purpose, authenticated.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runtime.credentials.json_web_token import unverified_part
from runtime.credentials.sealing_key import BEGIN, KEY_BYTES, SealingKey, key_of
from runtime.exits import StartupError
from runtime.file_watcher import FileWatcher
from runtime.logs import get_log
from schemas.sealing import Unopened

CHECK_SECONDS: Final = 1.0
_LINE: Final = re.compile(r"(\S+)(?:\s+\d{4}-\d\d-\d\d)?")
_KEY_ID: Final = re.compile(r"[0-9a-f]{12}")

log = get_log()


class KeyFileError(StartupError):
    """A key file is missing or invalid."""

    title = "key file"


class FixedKeys:
    """Seals with the first key, and opens with each."""

    def __init__(self, keys: list[SealingKey]) -> None:
        self._keys = keys
        self._by_begin = {key.begin: key for key in keys}
        self.ids = [key.id for key in keys]

    def seal(self, purpose: str, content: bytes) -> str:
        """Return the content as a compact JWE."""
        return self._keys[0].seal(purpose, content)

    def open(self, purpose: str, sealed: str) -> bytes | Unopened:
        """Return the content. It cannot be opened if its key is missing, it was changed, or it has another purpose."""
        if (key := self._by_begin.get(sealed[:BEGIN])) is not None:
            return key.open(purpose, sealed)
        shown = kid if _KEY_ID.fullmatch(kid := key_id_of(sealed)) else "none"
        return Unopened(f"expected one of the keys {', '.join(self.ids)}, found {shown}")

    def has_key_of(self, sealed: str) -> bool:
        """Return whether one of the keys sealed a text, as its header says."""
        return sealed[:BEGIN] in self._by_begin

    def digests(self, content: bytes) -> list[str]:
        """Return a digest of 16 characters for each key, the first key's first. It begins with four of the key's id."""
        return [key.digest(content) for key in self._keys]


class KeyRing:
    """The keys of a file. A changed file is read within a second; an invalid one leaves the known keys in force."""

    def __init__(self, file: Path, most_keys: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises KeyFileError."""
        self._file = file
        self._most_keys = most_keys
        self._clock = clock
        self._watcher = FileWatcher(file)
        self._watcher.changed()
        self._keys = FixedKeys(read_keys(file, most_keys))
        self._watcher.mark_read()
        self._checked_at = clock()

    def seal(self, purpose: str, content: bytes) -> str:
        """Return the content as a compact JWE."""
        self._check(CHECK_SECONDS)
        return self._keys.seal(purpose, content)

    def open(self, purpose: str, sealed: str) -> bytes | Unopened:
        """Return the content, or why it cannot be opened."""
        # Another process may have read the file earlier, and use a key that this one does not know yet.
        self._check(CHECK_SECONDS if self._keys.has_key_of(sealed) else 0.0)
        return self._keys.open(purpose, sealed)

    def digests(self, content: bytes) -> list[str]:
        """Return a digest of 16 characters for each key, the first key's first."""
        self._check(CHECK_SECONDS)
        return self._keys.digests(content)

    def _check(self, after_seconds: float) -> None:
        if self._clock() - self._checked_at < after_seconds:
            return
        self._checked_at = self._clock()
        if self._watcher.changed():
            file = str(self._file)
            try:
                self._keys = FixedKeys(read_keys(self._file, self._most_keys))
                log.info("process.key_file_reloaded", file=file, keys=self._keys.ids)
            except KeyFileError as error:
                log.warning("process.key_file_rejected", file=file, problems=error.problems)
            self._watcher.mark_read()


def key_id_of(sealed: str) -> str:
    """Return the id of the key that sealed a text; empty if it names none. Nothing authenticates the id."""
    kid = unverified_part(sealed, 0).get("kid")
    return kid if isinstance(kid, str) else ""


def read_keys(file: Path, most: int) -> list[SealingKey]:
    """Read the keys, one a line. Raises KeyFileError; its message holds no key."""
    try:
        lines = [line for line in file.read_text(encoding="ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError([f"{file}: {type(error).__name__}"]) from None
    keys = [key for key in map(key_of_line, lines) if key is not None]
    if not 1 <= len(lines) <= most or len(keys) < len(lines):
        random = f"{KEY_BYTES} random bytes in base64 (`openssl rand -base64 {KEY_BYTES}`)"
        raise KeyFileError([f"{file}: expected 1 to {most} lines, each {random} and perhaps a day like 2026-06-01"])
    return keys


def key_of_line(line: str) -> SealingKey | None:
    """Return the key of a line; None if it is not KEY_BYTES bytes in base64, and perhaps a day."""
    found = _LINE.fullmatch(line.strip())
    return None if found is None else key_of(found[1])
