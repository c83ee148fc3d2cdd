"""Idempotency keys and their stored replies (docs/collate-contract.md §2, and the store of 10b).

Scope: organization, path and key. Invariant: while a key is stored, its effect happens once.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from local.collate.profile import Profile
from local.collate.web.message import Reply
from local.collate.web.refusal import KEY_IN_FLIGHT, KEY_REUSED, Refusal

Scope = tuple[str, str, str]
_MOST = 500_000


@dataclass(frozen=True, slots=True)
class _Stored:
    fingerprint: str
    reply: Reply
    at: float


def fingerprint(body: Any, if_match: str | None, profile: Profile) -> str:
    """Return the fingerprint of a request: its JSON body, and If-Match if the profile includes it."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f"{if_match} {canonical}" if profile.key_covers_if_match else canonical


class Keys:
    """The key store. It drops the oldest keys above `_MOST` entries."""

    def __init__(self) -> None:
        self._stored: OrderedDict[Scope, _Stored] = OrderedDict()
        self._in_flight: dict[Scope, int] = {}

    def recall(
        self, scope: Scope, request_fingerprint: str, request: int, now: float, profile: Profile
    ) -> Reply | Refusal | None:
        """Return the stored reply of a key, a refusal (key reused or in flight), or None for a new key."""
        if self.knows(scope, now, profile):
            stored = self._stored[scope]
            return stored.reply if stored.fingerprint == request_fingerprint else KEY_REUSED
        if profile.key_in_flight == "conflict" and self._in_flight.get(scope, request) != request:
            return KEY_IN_FLIGHT
        return None

    def knows(self, scope: Scope, now: float, profile: Profile) -> bool:
        """Whether the key has a stored reply."""
        stored = self._stored.get(scope)
        return stored is not None and now - stored.at < profile.key_retention_seconds

    def keep(self, scope: Scope, request_fingerprint: str, reply: Reply, now: float, profile: Profile) -> None:
        """Store a reply, if the profile stores such replies."""
        if profile.key_retention_seconds <= 0 or (profile.keys_keep == "success" and reply.status >= 300):
            return
        self._stored.pop(scope, None)
        self._stored[scope] = _Stored(request_fingerprint, reply, now)
        while len(self._stored) > _MOST:
            self._stored.popitem(last=False)

    def begin(self, scope: Scope, request: int) -> None:
        """Mark a key as in flight."""
        self._in_flight.setdefault(scope, request)

    def end(self, scope: Scope, request: int) -> None:
        """End the in-flight mark of a request."""
        if self._in_flight.get(scope) == request:
            del self._in_flight[scope]
