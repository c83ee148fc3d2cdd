"""The ledger of calls and effects, for tests that count effects.

It has at most `_MOST` calls and as many effects, and drops the oldest ones. It also has the call rate per second of
real time. It keeps digests and a few harmless fields of bodies, never the bodies.
"""

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from local.collate.model.effect import Effect

_MOST, _RATES_KEPT = 200_000, 7200
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

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=_MOST)
        self.effects: deque[tuple[int, Effect]] = deque(maxlen=_MOST)
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

    def summary(self) -> dict[str, dict[str, int]]:
        """Return the numbers of calls by route, and of effects by kind."""
        return {
            "byRoute": Counter(f"{call.method} {_route(call.path)}" for call in self.calls),
            "byKind": Counter(effect.kind.value for _, effect in self.effects),
        }


def _route(path: str) -> str:
    """Return a path with its ids replaced by `*`."""
    parts = path.split("/")
    for place in _ID_PLACES.get(parts[1] if len(parts) > 1 else "", ()):
        if len(parts) > place:
            parts[place] = "*"
    return "/".join(parts)
