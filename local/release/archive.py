"""Archives whose bytes follow from their files: in order of name, of one owner and one time."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write(target: Path, files: Mapping[str, bytes], *, at: int) -> None:
    """Write a .tgz with files by name. `at` is the time of each, in seconds since 1970."""
    with (
        target.open("wb") as opened,
        gzip.GzipFile("", "wb", fileobj=opened, mtime=at) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), at
            archive.addfile(entry, io.BytesIO(content))


def write_again(target: Path, *, at: int) -> None:
    """Write an archive of another program again, without the time of its build."""
    with tarfile.open(target) as archive:
        opened = [(entry.name, archive.extractfile(entry)) for entry in archive.getmembers()]
        files = {name: file.read() for name, file in opened if file}
    write(target, files, at=at)


def write_folder(target: Path, folder: Path, *, at: int) -> None:
    """Write a folder with its name and its files."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    write(target, {str(path.relative_to(folder.parent)): path.read_bytes() for path in paths}, at=at)
