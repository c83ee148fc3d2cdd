"""Tar archives: unpacked so that nothing lands outside of the directory, where Python can (3.11.4 or newer)."""

import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, directory: Path | str) -> None:
    """Unpack all members below `directory` with the standard library's filter for data (PEP 706).

    Python 3.11 to 3.11.3, as in Debian 12, has no filters: there all members are unpacked as they are. All our archives
    are our own, or have a pinned hash.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(directory, filter="data")
    else:
        archive.extractall(directory)  # noqa: S202 - see above
