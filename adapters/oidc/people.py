"""The claims of a verified token about a person: the name and the groups (docs/decisions/0011).

Only groups that the configuration names are kept, so that a remembered token is small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from runtime.logs import get_log
from schemas.fields.visible_text import FROM_CALLER, SentName

MOST_NAME_CHARACTERS: Final = 95
"""The longest name. With the longest prefix (32 characters) and a colon it is a valid name of a caller."""

_NAME: Final = TypeAdapter(SentName)
log = get_log()


@dataclass(frozen=True, slots=True)
class PersonClaims:
    """The names of the claims that describe a person, and the groups that have permissions."""

    name: str
    groups: str
    known_groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Person:
    """A person: the name, the known groups, and how (`acr`) and when the person signed in, as far as the token says."""

    name: str
    groups: frozenset[str]
    acr: str | None = None
    signed_in_at: float | None = None


def read_person(claims: Mapping[str, Any], rules: PersonClaims, issuer: str) -> Person | None:
    """Return the person of a verified token; None without the name claim, or if the name is not usable."""
    name = claims.get(rules.name)
    if name is None:
        return None
    if not _is_usable(name):
        log.warning("oidc.person_rejected", issuer=issuer, claim=rules.name, reason="unusable_name")
        return None
    acr, at = claims.get("acr"), claims.get("auth_time")
    return Person(
        name,
        _groups(claims.get(rules.groups)) & rules.known_groups,
        acr if isinstance(acr, str) else None,
        float(at) if isinstance(at, int | float) and not isinstance(at, bool) else None,
    )


def _is_usable(name: object) -> bool:
    """Whether the name is one visible line: people and records compare it by eye."""
    try:
        text = _NAME.validate_python(name, strict=True, context=FROM_CALLER)
    except ValidationError:
        return False
    return len(text) <= MOST_NAME_CHARACTERS and text == text.strip()


def _groups(claim: object) -> frozenset[str]:
    """Return the groups of a claim. Some issuers send a single group as a text."""
    if isinstance(claim, str):
        return frozenset({claim})
    return frozenset(group for group in claim if isinstance(group, str)) if isinstance(claim, list) else frozenset()
