"""The readings of the contract that the gateway must support, as a frozen value (docs/collate-contract.md §10b, §11).

The defaults are the settled readings. A named profile changes some of them; profiles can be combined.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Profile:
    """The behaviour of the simulated Collate. Durations are seconds of simulated time; None means never."""

    # Idempotency keys
    keys_on: Literal["all", "create_authorization"] = "all"
    unused_key: Literal["ignored", "refused"] = "ignored"
    keys_keep: Literal["success", "everything"] = "success"
    key_retention_seconds: float = 86_400.0
    key_covers_if_match: bool = False
    key_in_flight: Literal["replay", "conflict"] = "replay"

    # Preconditions
    checks_if_match: bool = True
    if_match_on_close: Literal["authorization", "handoff"] = "authorization"
    missing_header_status: Literal[400, 422, 428] = 400
    check_order: Literal["key_first", "if_match_first", "active_first"] = "key_first"

    # Handoffs
    create_while_active: Literal["existing", "conflict", "replace"] = "existing"
    create_bumps_version: bool = True
    created_status: Literal[200, 201, 202] = 200
    status_while_active: Literal["requires_action", "processing"] = "requires_action"
    repeated_close: Literal["conflict", "first_result"] = "conflict"
    offered_seconds: float = 0.0
    closing_seconds: float = 0.2
    close_while_offered: Literal["accepted", "refused"] = "accepted"
    abandonment_seconds: float | None = 900.0
    pointer: Literal["id", "full"] = "id"

    # Grants
    grant_seconds: float = 300.0

    # Automatic actions of Collate and the payer
    reconcile_seconds: float | None = 1.0
    automation_seconds: float | None = 1.0
    decision_seconds: float | None = None

    # Reads
    stale_probability: float = 0.0
    stale_seconds: float = 0.0
    unknown_fields: bool = False

    @property
    def closes_immediately(self) -> bool:
        """Whether a close skips the state `closing`."""
        return self.closing_seconds <= 0

    def with_readings(self, readings: Mapping[str, Any]) -> Self:
        """Return a copy with changed readings. Raises ValueError if a reading is unknown or has a wrong type."""
        if problems := [problem for name, value in readings.items() if (problem := _problem(name, value))]:
            raise ValueError("; ".join(problems))
        return replace(self, **readings)


NAMED: dict[str, dict[str, Any]] = {
    "v2": {},
    "v3": {"keys_on": "create_authorization"},
    "v3_refuses_keys": {"keys_on": "create_authorization", "unused_key": "refused"},
    "stores_errors": {"keys_keep": "everything"},
    "forgets_keys": {"key_retention_seconds": 0.0},
    "fingerprints_if_match": {"key_covers_if_match": True},
    "ignores_preconditions": {"checks_if_match": False},
    "stale_replicas": {"stale_probability": 0.5, "stale_seconds": 2.0},
}


def named(names: Iterable[str], readings: Mapping[str, Any] | None = None) -> Profile:
    """Return named profiles combined with single readings.

    Raises ValueError if a name or reading is unknown, or a value is invalid.
    """
    profile = Profile()
    for name in names:
        if name not in NAMED:
            raise ValueError(f"unknown profile {name!r}; known: {', '.join(NAMED)}")
        profile = profile.with_readings(NAMED[name])
    return profile.with_readings(readings or {})


def _problem(name: str, value: object) -> str | None:
    if name not in _FIELDS:
        return f"unknown reading {name!r}; known: {', '.join(sorted(_FIELDS))}"
    hint = _HINTS[name]
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return None if value in choices else f"{name} is one of {', '.join(map(str, choices))}"
    if hint is bool:
        return None if isinstance(value, bool) else f"{name} is true or false"
    if value is None:
        return None if type(None) in get_args(hint) else f"{name} may not be null"
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return None if number else f"{name} is a number of at least 0"


_FIELDS = {field.name for field in fields(Profile)}
_HINTS = get_type_hints(Profile)
