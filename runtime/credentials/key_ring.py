"""A ring of symmetric keys from a file: the first encrypts, all decrypt (JWE, `dir` with A256GCM). So have digests.

The file has one key a line: 32 random bytes in base64, then the day of its first use, if known. So a rotation adds the
new key last everywhere, moves it to the front, and removes the old key when nothing needs it any more. Each sealed text
contains its purpose, authenticated.
"""

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from runtime.credentials.json_web_token import unverified_part
from runtime.exits import StartupError
from runtime.file_watcher import FileWatcher
from runtime.logs import get_log
from schemas.sealing import Unopened

KEY_BYTES: Final = 32
CHECK_SECONDS: Final = 1.0
_URL_SAFE: Final = str.maketrans("+/", "-_")
_LINE: Final = re.compile(r"(\S+)(?:\s+\d{4}-\d\d-\d\d)?")
_KEY_ID: Final = re.compile(r"[0-9a-f]{12}")
_REGISTRY: Final = jwe.JWERegistry(algorithms=["dir", "A256GCM"])

log = get_log()


class KeyFileError(StartupError):
    """A key file is missing or invalid."""

    title = "key file"


class FixedKeys:
    """Seals with the first key, and opens with each."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys
        self.ids = [str(key.kid) for key in keys.keys]
        own = hashlib.blake2b  # of each key another one, for digests alone
        raw = ((str(key.kid), key.raw_value) for key in keys.keys if isinstance(key, OctKey))
        self._digest_keys = [(kid[:4], own(b"digest", key=key).digest()) for kid, key in raw]

    def seal(self, purpose: str, content: bytes) -> str:
        """Return the content as a compact JWE."""
        header = {"alg": "dir", "enc": "A256GCM", "kid": self.ids[0], "typ": purpose}
        return jwe.encrypt_compact(header, content, self._keys.keys[0], registry=_REGISTRY)

    def open(self, purpose: str, sealed: str) -> bytes | Unopened:
        """Return the content. It cannot be opened if its key is missing, it was changed, or it has another purpose."""
        if (kid := key_id_of(sealed)) not in self.ids:
            shown = kid if _KEY_ID.fullmatch(kid) else "none"
            return Unopened(f"expected one of the keys {', '.join(self.ids)}, found {shown}")
        try:
            opened = jwe.decrypt_compact(sealed.encode("ascii"), self._keys, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return Unopened("expected a sealed text without changes")
        if opened.protected.get("typ") != purpose or opened.plaintext is None:
            return Unopened("expected a text that was sealed for this purpose")
        return opened.plaintext

    def digests(self, content: bytes) -> list[str]:
        """Return a digest of 16 characters for each key, the first key's first. It begins with four of the key's id."""
        return [kid + hashlib.blake2b(content, digest_size=6, key=key).hexdigest() for kid, key in self._digest_keys]


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
        self._check(CHECK_SECONDS if key_id_of(sealed) in self._keys.ids else 0.0)
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


def read_keys(file: Path, most: int) -> KeySet:
    """Read the keys, one a line. Raises KeyFileError; its message holds no key."""
    try:
        lines = [line for line in file.read_text(encoding="ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError([f"{file}: {type(error).__name__}"]) from None
    keys = [key for key in map(key_of, lines) if key is not None]
    if not 1 <= len(lines) <= most or len(keys) < len(lines):
        random = f"{KEY_BYTES} random bytes in base64 (`openssl rand -base64 {KEY_BYTES}`)"
        raise KeyFileError([f"{file}: expected 1 to {most} lines, each {random} and perhaps a day like 2026-06-01"])
    return KeySet([*keys])


def key_of(line: str) -> OctKey | None:
    """Return the key of a line; None if it is not KEY_BYTES bytes in base64, and perhaps a day."""
    if (found := _LINE.fullmatch(line.strip())) is None:
        return None
    try:
        # Both alphabets: `openssl rand -base64 32` makes a usable key.
        text = found[1].rstrip("=").translate(_URL_SAFE)
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(content) != KEY_BYTES:
        return None
    # The id only selects the key. It is a hash of a hash, so it reveals nothing about the key.
    kid = hashlib.sha256(b"kid" + hashlib.sha256(content).digest()).hexdigest()[:12]
    return OctKey.import_key(content, {"kid": kid})
