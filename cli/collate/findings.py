"""What a probe found: one reading for each question of docs/collate-contract.md, and the settings that follow. Pure."""

from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "GATEWAY_COLLATE__"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. `section` is of docs/collate-contract.md; `reading` has names and numbers, no content."""

    section: str
    question: str
    reading: str
    is_problem: bool = False


@dataclass(slots=True)
class Findings:
    """All answers of one probe, in order, and the values that the settings should have."""

    found: list[Finding] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    def add(self, section: str, question: str, reading: str, *, is_problem: bool = False) -> None:
        """Add an answer."""
        self.found.append(Finding(section, question, reading, is_problem))

    def choose(self, setting: str, value: str) -> None:
        """Name the value that a setting of `collate` should have."""
        self.settings[PREFIX + setting.upper()] = value

    @property
    def has_problems(self) -> bool:
        """Whether the gateway cannot work with one of the answers."""
        return any(finding.is_problem for finding in self.found)
