"""Sealed texts: JSON encrypted and authenticated with the console's keys (JWE, `dir` with A256GCM).

Browsers and terminals store them; only the console can decrypt them. Each contains its purpose, so a text for one
purpose is invalid for another. The key file has one or two keys: the first encrypts, both decrypt.
"""

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from runtime.exits import StartupError
from runtime.file_watcher import FileWatcher
from runtime.logs import get_log

KEY_BYTES: Final = 32
MOST_KEYS: Final = 2
CHECK_SECONDS: Final = 1.0
_URL_SAFE: Final = str.maketrans("+/", "-_")
_REGISTRY: Final = jwe.JWERegistry(algorithms=["dir", "A256GCM"])

log = get_log()


class CookieKeysError(StartupError):
    """The file with the keys of the session cookies is missing or invalid."""

    title = "cookie keys"


class Sealer:
    """Seals and opens. A changed key file is read within a second; an invalid one leaves the known keys in force."""

    def __init__(self, key_file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises CookieKeysError."""
        self._file = key_file
        self._clock = clock
        self._watcher = FileWatcher(key_file)
        self._watcher.changed()
        self._keys = read_keys(key_file)
        self._watcher.mark_read()
        self._checked_at = clock()

    def seal(self, purpose: str, content: dict[str, Any]) -> str:
        """Return the content as a compact JWE, encrypted with the first key."""
        key = self._current().keys[0]
        header = {"alg": "dir", "enc": "A256GCM", "kid": key.kid, "typ": purpose}
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
        return jwe.encrypt_compact(header, text, key, registry=_REGISTRY)

    def open(self, purpose: str, sealed: str) -> dict[str, Any] | None:
        """Return the content; None if it was not sealed by us, was changed, or has another purpose."""
        try:
            opened = jwe.decrypt_compact(sealed.encode("ascii"), self._current(), registry=_REGISTRY)
            content = json.loads(opened.plaintext or b"")
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return content if opened.protected.get("typ") == purpose and isinstance(content, dict) else None

    def _current(self) -> KeySet:
        if self._clock() - self._checked_at >= CHECK_SECONDS:
            self._checked_at = self._clock()
            if self._watcher.changed():
                try:
                    self._keys = read_keys(self._file)
                    log.info("console.cookie_keys_reloaded", keys=len(self._keys.keys))
                except CookieKeysError as error:
                    log.warning("console.cookie_keys_rejected", problems=error.problems)
                self._watcher.mark_read()
        return self._keys


def read_keys(file: Path) -> KeySet:
    """Read the keys, one a line. Raises CookieKeysError; its message holds no key."""
    try:
        lines = file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CookieKeysError([f"{file}: {type(error).__name__}"]) from None
    keys = [_key(line) for line in lines]
    if not 1 <= len(keys) <= MOST_KEYS or any(one is None for one in keys):
        expected = f"one or two lines, each {KEY_BYTES} random bytes in base64 (`openssl rand -base64 {KEY_BYTES}`)"
        raise CookieKeysError([f"{file}: expected {expected}"])
    return KeySet([one for one in keys if one is not None])


def _key(line: str) -> OctKey | None:
    try:
        # Both alphabets: `openssl rand -base64 32` makes a usable key.
        text = line.rstrip("=").translate(_URL_SAFE)
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(content) != KEY_BYTES:
        return None
    # The id only selects the key. It is a hash of a hash, so it reveals nothing about the key.
    kid = hashlib.sha256(b"kid" + hashlib.sha256(content).digest()).hexdigest()[:12]
    return OctKey.import_key(content, {"kid": kid})
