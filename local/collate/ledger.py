"""The ledger of calls and effects, for tests that count effects.

It has at most `limit` calls and `limit` effects, drops the oldest ones, and counts them. It also has the call rate per
second of real time. It keeps digests and a few harmless fields of bodies, never the bodies.
"""

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from local.collate.model.effect import Effect

_RATES_KEPT = 7200
_NAMES = {"if_match": "ifMatch", "is_replay": "replay"}
_ID_PLACES = {"v1": (3, 5), "runtime": (3,)}


@dataclass(slots=True)
class Call:
    """A request. `answered` is the status of the simulation, `status` the one sent to the client."""

    number: int
    at: float
    method: str
    path: str
    organization: str | None
    key: str | None
    if_match: str | None
    digest: str | None
    fields: dict[str, Any] = field(default_factory=dict)
    answered: int | None = None
    status: int | None = None
    code: str | None = None
    is_replay: bool = False
    ended: str = "open"
    seconds: float | None = None
    faults: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the call as the control API shows it."""
        shown = {_NAMES.get(name, name): value for name, value in asdict(self).items()}
        return shown | {"faults": list(self.faults)}


def effect_json(number: int, effect: Effect) -> dict[str, Any]:
    """Return an effect as the control API shows it."""
    return {
        "number": number,
        "kind": effect.kind,
        "at": effect.at,
        "authorizationId": effect.authorization_id,
        "handoffId": effect.handoff_id,
        "version": effect.version,
        "by": effect.cause.by,
        "key": effect.cause.key,
        "request": effect.cause.request,
        "details": effect.details,
    }


class Ledger:
    """Calls and effects in order, numbered from 1."""

    def __init__(self, limit: int) -> None:
        self.calls: deque[Call] = deque(maxlen=limit)
        self.effects: deque[tuple[int, Effect]] = deque(maxlen=limit)
        self.per_second: Counter[int] = Counter()
        self._numbered_calls = 0
        self._numbered_effects = 0

    def open(self, method: str, path: str, at: float, body: bytes, **known: Any) -> Call:
        """Record a request at its arrival."""
        self._numbered_calls += 1
        digest = sha256(body).hexdigest()[:32] if body else None
        call = Call(self._numbered_calls, at, method, path, digest=digest, **known)
        self.calls.append(call)
        second = int(time.time())
        self.per_second[second] += 1
        if len(self.per_second) > _RATES_KEPT:
            del self.per_second[min(self.per_second)]
        return call

    def record(self, effect: Effect) -> None:
        """Record an effect."""
        self._numbered_effects += 1
        self.effects.append((self._numbered_effects, effect))

    def clear(self) -> None:
        """Remove all calls and effects. The numbering continues."""
        self.calls.clear()
        self.effects.clear()
        self.per_second.clear()

    def summary(self) -> dict[str, Any]:
        """Return counts, and each key with more than one effect of a kind."""
        effects = [effect for _, effect in self.effects]
        by_key = Counter((effect.kind.value, effect.cause.key) for effect in effects if effect.cause.key is not None)
        return {
            "calls": self._numbered_calls,
            "callsForgotten": self._numbered_calls - len(self.calls),
            "effects": self._numbered_effects,
            "effectsForgotten": self._numbered_effects - len(self.effects),
            "byRoute": _sorted(Counter(f"{call.method} {_route(call.path)}" for call in self.calls)),
            "byStatus": _sorted(Counter(str(call.status) for call in self.calls)),
            "byEnd": _sorted(Counter(call.ended for call in self.calls)),
            "byKind": _sorted(Counter(effect.kind.value for effect in effects)),
            "keysWithSeveralEffects": [
                {"kind": kind, "key": key, "count": count} for (kind, key), count in by_key.items() if count > 1
            ],
        }


def _route(path: str) -> str:
    """Return a path with its ids replaced by `*`."""
    parts = path.split("/")
    for place in _ID_PLACES.get(parts[1] if len(parts) > 1 else "", ()):
        if len(parts) > place and parts[place - 1] != "live-session":
            parts[place] = "*"
    return "/".join(parts)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
