"""The lines that a session writes while it runs, so that an interrupted session leaves what it has measured."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LINES = "soak.jsonl"


@dataclass(frozen=True, slots=True)
class Sample:
    """The measurements at one time: `at` in seconds since the session's begin."""

    at: float
    values: dict[str, float]
    accepted: int
    ended: int
    authorizations: int
    latencies: list[float]  # seconds of the commands that ended since the last sample


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, with its begin and end in seconds since the session's begin."""

    kind: str
    begin: float
    end: float


@dataclass(slots=True)
class Session:
    """One run of the verb. `broken` is None if the session was not judged."""

    began: float  # Unix seconds
    seed: int
    version: str
    samples: list[Sample] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: list[str] | None = None
    judged: dict[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long the session measured."""
        return self.samples[-1].at if self.samples else 0.0


class SessionLog:
    """Appends the lines of one session."""

    def __init__(self, directory: Path, began: float, seed: int, version: str) -> None:
        self._path = directory / LINES
        if self._path.exists() and not self._path.read_bytes().endswith(b"\n"):
            with self._path.open("a") as lines:
                lines.write("\n")  # the last session was interrupted in a line
        self._write("session", {"began": began, "seed": seed, "version": version})

    def sample(self, sample: Sample) -> None:
        """Append a sample."""
        self._write("sample", asdict(sample))

    def fault(self, fault: Fault) -> None:
        """Append a fault that has ended."""
        self._write("fault", asdict(fault))

    def verdict(self, broken: list[str], judged: dict[str, int]) -> None:
        """Append the judge's verdict."""
        self._write("verdict", {"broken": broken, "judged": judged})

    def _write(self, kind: str, values: dict[str, Any]) -> None:
        with self._path.open("a") as lines:
            lines.write(json.dumps({"line": kind, **values}) + "\n")


def read_sessions(directory: Path) -> list[Session]:
    """Return the sessions of a directory, oldest first. A line that was cut off is left out."""
    sessions: list[Session] = []
    path = directory / LINES
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        match values.pop("line"):
            case "session":
                sessions.append(Session(**values))
            case "sample":
                sessions[-1].samples.append(Sample(**values))
            case "fault":
                sessions[-1].faults.append(Fault(**values))
            case "verdict":
                sessions[-1].broken, sessions[-1].judged = values["broken"], values["judged"]
    return sessions
