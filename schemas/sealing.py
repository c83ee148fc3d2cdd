"""The encryption and comparison of content, as records need it. `runtime.credentials.key_ring` has the keys."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unopened:
    """A sealed text that cannot be opened. `problem` says what was expected, and holds no content."""

    problem: str


class Keys(Protocol):
    """Encrypts and authenticates content. A text that was sealed for one purpose opens for no other purpose."""

    def seal(self, purpose: str, content: bytes) -> str:
        """Return the sealed content: printable ASCII."""
        ...

    def open(self, purpose: str, sealed: str) -> bytes | Unopened:
        """Return the content, or why it cannot be opened."""
        ...

    def digests(self, content: bytes) -> list[str]:
        """Return a digest under each key, the current one first: a word whose first four characters name the key."""
        ...
