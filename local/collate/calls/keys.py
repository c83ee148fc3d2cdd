"""Idempotency keys: what was answered under which key (collate-api.md 2, and the store of 10b).

Scope: organization + path + key. Invariant: while a key is remembered, its effect happens once.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.collate.http.refusal import KEY_IN_FLIGHT, KEY_REUSED, Refusal

if TYPE_CHECKING:
    from local.collate.http.message import Reply
    from local.collate.profile import Profile

Scope = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: str
    reply: Reply
    at: float


def fingerprint(body: Any, if_match: str | None, profile: Profile) -> str:
    """What makes two requests the same: JSON-equal bodies, and If-Match where the profile says so."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f"{if_match} {canonical}" if profile.key_covers_if_match else canonical


class Keys:
    """The key store, bounded by `limit` entries (the oldest go first)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Scope, _Kept] = OrderedDict()
        self._in_flight: dict[Scope, int] = {}

    def recall(self, scope: Scope, print_: str, request: int, now: float, profile: Profile) -> Reply | Refusal | None:
        """Answer what is known under a key: the first result, a reuse, one that runs, or nothing."""
        if self.knows(scope, now, profile):
            kept = self._kept[scope]
            return kept.reply if kept.fingerprint == print_ else KEY_REUSED
        if profile.key_in_flight == "conflict" and self._in_flight.get(scope, request) != request:
            return KEY_IN_FLIGHT
        return None

    def knows(self, scope: Scope, now: float, profile: Profile) -> bool:
        """Something is remembered under this key."""
        kept = self._kept.get(scope)
        return kept is not None and now - kept.at < profile.key_retention_seconds

    def keep(self, scope: Scope, print_: str, reply: Reply, now: float, profile: Profile) -> None:
        """Remember an answer, if this profile remembers such answers."""
        if profile.key_retention_seconds <= 0 or (profile.keys_keep == "success" and reply.status >= 300):
            return
        self._kept.pop(scope, None)
        self._kept[scope] = _Kept(print_, reply, now)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def begin(self, scope: Scope, request: int) -> None:
        """Say that a request with this key is running."""
        self._in_flight.setdefault(scope, request)

    def end(self, scope: Scope, request: int) -> None:
        """Say that it is done, whoever hears of it."""
        if self._in_flight.get(scope) == request:
            del self._in_flight[scope]
