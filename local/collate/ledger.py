"""What was asked and what it changed: the oracle of every test that counts effects.

Bounded by `limit` rows each, the oldest go first and are counted; the rates per second of real time always stay.
Holds digests and a few harmless fields of bodies, never the bodies.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.collate.model.effect import Effect

_RATES_KEPT = 7200
_ID_PLACES = {"v1": (3, 5), "runtime": (3,)}


@dataclass(slots=True)
class Call:
    """One request. `answered` is the status that the world gave, `status` the one that the client was sent."""

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
        """The row, as the control API shows it."""
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "organization": self.organization,
            "key": self.key,
            "ifMatch": self.if_match,
            "digest": self.digest,
            "fields": self.fields,
            "answered": self.answered,
            "status": self.status,
            "code": self.code,
            "replay": self.is_replay,
            "ended": self.ended,
            "seconds": self.seconds,
            "faults": list(self.faults),
        }


def effect_json(number: int, effect: Effect) -> dict[str, Any]:
    """An effect, as the control API shows it."""
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
    """Calls and effects in their order, numbered from 1."""

    def __init__(self, limit: int) -> None:
        self.calls: deque[Call] = deque(maxlen=limit)
        self.effects: deque[tuple[int, Effect]] = deque(maxlen=limit)
        self.per_second: Counter[int] = Counter()
        self._numbered_calls = 0
        self._numbered_effects = 0

    def open(self, method: str, path: str, at: float, body: bytes, **known: Any) -> Call:
        """Write down a request on its arrival."""
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
        """Write down an effect."""
        self._numbered_effects += 1
        self.effects.append((self._numbered_effects, effect))

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        self.calls.clear()
        self.effects.clear()
        self.per_second.clear()

    def summary(self) -> dict[str, Any]:
        """Counts, and every key that had more than one effect of a kind."""
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


def page(rows: Iterable[Any], wanted: Callable[[Any], bool], limit: int) -> list[Any]:
    """The first `limit` rows that are wanted."""
    return list(islice(filter(wanted, rows), limit))


def _route(path: str) -> str:
    """A path with its ids taken out."""
    parts = path.split("/")
    for place in _ID_PLACES.get(parts[1] if len(parts) > 1 else "", ()):
        if len(parts) > place and parts[place - 1] != "live-session":
            parts[place] = "*"
    return "/".join(parts)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
