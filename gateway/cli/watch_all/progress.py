"""How far a file was sent: beside the file, so that a run that ends early continues at its place.

    FILE.progress   the file's sha256, the id of the run, and the last line that needs no more sending
    FILE.failed     JSON lines: what was not accepted, by line

The id of the run is part of each event's id: the batch in flight when a run ended is sent again as the same commands.
"""

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict


class OtherFile(Exception):
    """The progress belongs to another content of the file."""


class _Saved(TypedDict):
    sha256: str
    run: str
    line: int
    failed: int
    failedBytes: int


@dataclass(frozen=True, slots=True, order=True)
class FailedLine:
    """A line whose authorization is not watched by this run."""

    line: int
    reason: str
    authorization_id: str | None = None
    status: int | None = None


class RunProgress:
    """The progress of one run over a file."""

    def __init__(self, file: Path, digest: str, *, starts_again: bool = False) -> None:
        """Read the progress of an earlier run, or begin a new one. Raises OtherFile, OSError."""
        self.failures_file = file.with_name(f"{file.name}.failed")
        self._file = file.with_name(f"{file.name}.progress")
        self._digest = digest
        self.run, self.line, self.failed, failed_bytes = uuid.uuid4().hex, 0, 0, 0
        if not starts_again and self._file.exists():
            try:
                earlier: _Saved = json.loads(self._file.read_text())
                self.run, self.line = str(earlier["run"]), int(earlier["line"])
                self.failed, failed_bytes = int(earlier["failed"]), int(earlier["failedBytes"])
                is_same = earlier["sha256"] == digest
            except (ValueError, KeyError, TypeError) as error:
                raise OtherFile from error
            if not is_same:
                raise OtherFile
        # Failures behind the last saved place are found again.
        if self.failures_file.exists():
            os.truncate(self.failures_file, failed_bytes)
        self._save()

    @property
    def continues(self) -> bool:
        """Whether an earlier run has sent lines of this file."""
        return self.line > 0

    def advance(self, line: int, failures: Iterable[FailedLine]) -> None:
        """Record that every line up to `line` is accepted, or failed for a reason that a repeat does not change."""
        failures = list(failures)
        if failures:
            with self.failures_file.open("a") as out:
                for failure in failures:
                    members: dict[str, object] = asdict(failure)
                    shown = {name: value for name, value in members.items() if value is not None}
                    out.write(json.dumps(shown) + "\n")
            self.failed += len(failures)
        self.line = line
        self._save()

    def finish(self) -> None:
        """Forget the place: the next run sends the file again, as new commands."""
        self._file.unlink(missing_ok=True)
        if not self.failed:
            self.failures_file.unlink(missing_ok=True)

    def _save(self) -> None:
        size = self.failures_file.stat().st_size if self.failures_file.exists() else 0
        document: _Saved = {
            "sha256": self._digest,
            "run": self.run,
            "line": self.line,
            "failed": self.failed,
            "failedBytes": size,
        }
        temporary = self._file.with_name(f"{self._file.name}.new")
        temporary.write_text(json.dumps(document))
        temporary.replace(self._file)
