"""The names of callers. A person is a caller whose name has a prefix: `people:jo.miller` (docs/decisions/0011).

Invariant: the name of a configured caller has no colon, so the name alone shows whether a person or a service called.
"""

from typing import Final

from schemas.enums import AssertedBy

_SEPARATOR: Final = ":"


def caller_of_person(prefix: str, name: str) -> str:
    """Return the caller's name of a person. The prefix has no colon, so two prefixes never have the same person."""
    return f"{prefix}{_SEPARATOR}{name}"


def person_of(caller: str) -> str | None:
    """Return the name of the person who calls; None for a service."""
    _, separator, name = caller.partition(_SEPARATOR)
    return name if separator else None


def pool_of(caller: str) -> str:
    """Return the name under which a caller shares bounds: its own, or for a person that of all people of the prefix."""
    prefix, separator, _ = caller.partition(_SEPARATOR)
    return prefix + separator


def vouching(caller: str | None, *names: str | None) -> AssertedBy | None:
    """Return what vouches for these names in a request of this caller; None if there is no name or no caller."""
    return None if caller is None or not any(names) else asserted_by(caller)


def asserted_by(caller: str) -> AssertedBy:
    """Return what vouches for a person's name in a request of this caller."""
    return AssertedBy.PERSON if _SEPARATOR in caller else AssertedBy.CALLER
