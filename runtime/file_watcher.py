"""Change detection for mounted files, so that a rotated secret needs no restart. Reads no content.

A file's signature is its inode, size and modification time, after all links are resolved: Kubernetes updates a mounted
secret by swapping a link, and the new file may have the old name, size and time. A missing file has no signature.
"""

from pathlib import Path

_Signature = tuple[int, int, int]


class FileWatcher:
    """Files, and their signatures at the last read. Call `changed`, read the files, then call `mark_read`.

    Each signature is taken before its file is read, so the next `changed` reports a file that was swapped during the
    read. Without `mark_read`, the next `changed` reports the same change again.
    """

    def __init__(self, *files: Path) -> None:
        self._files = files
        self._current: dict[Path, _Signature | None] = {}
        self._read: dict[Path, _Signature | None] = {}

    def changed(self) -> bool:
        """Take the signatures; return whether one differs from the last read. A file never read counts as changed."""
        self._current = {file: _signature(file) for file in self._files}
        return self._current != self._read

    def watch(self, *files: Path) -> None:
        """Watch these files instead; call this before they are read."""
        self._files = files
        self._current = {file: self._current[file] if file in self._current else _signature(file) for file in files}

    def mark_read(self) -> None:
        """Remember the signatures of the last `changed` or `watch` as those of the last read."""
        self._read = self._current


def _signature(file: Path) -> _Signature | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
