"""The API key. Each change of its file is read, so that a new key needs no restart.

A file without a usable key leaves the old key in force and is logged once. The key is never logged.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.file_watcher import FileWatcher
from runtime.logs import get_log
from runtime.settings import read_secret

if TYPE_CHECKING:
    from pydantic import SecretStr

_LOOK_EVERY_SECONDS: Final = 1.0
_KEY: Final = re.compile(r"[\x21-\x7e]{1,4096}")


class ApiKey:
    """The API key and its file. `key` is None until a key has been read."""

    def __init__(self, file: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.key: SecretStr | None = None
        self._file = file
        self._watcher = FileWatcher(file)
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._problem: str | None = None
        self._log = get_log(file=str(file))

    def refresh(self) -> bool:
        """Check the file, at most once a second; return whether there is a new key."""
        now = self._monotonic()
        if now - self._looked_at < _LOOK_EVERY_SECONDS:
            return False
        self._looked_at = now
        if not self._watcher.changed():
            self._problem = None
            return False
        try:
            key = read_secret(self._file)
        except (OSError, UnicodeDecodeError) as error:
            self._reject(type(error).__name__)
            return False
        if not _KEY.fullmatch(key.get_secret_value()):
            self._reject("not one line of printable characters")
            return False
        self._watcher.mark_read()
        self._problem = None
        changed = self.key is None or key.get_secret_value() != self.key.get_secret_value()
        if changed:
            self._log.info("collate.key_read", first=self.key is None)
        self.key = key
        return changed

    def _reject(self, problem: str) -> None:
        if self._problem != problem:
            self._problem = problem
            self._log.error("collate.key_rejected", problem=problem, keeps_old=self.key is not None)
