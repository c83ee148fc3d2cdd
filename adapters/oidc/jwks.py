"""An issuer's public keys by `kid`. They are fetched when needed, and refreshed by age and for an unknown `kid`.

Bounds: one fetch at a time per issuer, a pause after each fetch, a size and a timeout; and the requests that wait for
a fetch, because a token of a stranger can name an unknown key. An error keeps the known keys.
Only asymmetric signing keys are used.

    last fetch     the key is known    the key is unknown
    succeeded      the key             None: fetch again, after the pause
    failed         the key             KeysUnavailable: fetch again, after the pause
    none yet       -                   KeysUnavailable, if the fetch fails
    it runs        the key             wait for it; KeysUnavailable, if many requests wait already
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from joserfc import jwk
from joserfc.errors import JoseError

from runtime.http_client import HttpClient, HttpProxy
from runtime.logs import get_log

FRESH_SECONDS = 600.0
PAUSE_SECONDS = 10.0
FETCH_SECONDS = 5.0
MOST_BYTES = 256 << 10
MOST_WAITING = 200
_KINDS = frozenset({"RSA", "EC", "OKP"})

log = get_log()
Key = jwk.Key
Fetch = Callable[[str], bytes]


def fetch(place: str, proxy: HttpProxy | None = None) -> bytes:
    """Read a key set from an https URL or a file. Raises OSError, httpx.HTTPError."""
    if "://" not in place:
        return Path(place).read_bytes()
    response = HttpClient(place, seconds=FETCH_SECONDS, max_bytes=MOST_BYTES, proxy=proxy).send("GET", place)
    if response.status != 200:
        raise OSError(f"the key set's address responded {response.status}")
    return response.body


@dataclass(frozen=True, slots=True)
class KeysUnavailable:
    """The issuer's keys cannot be read now, so a token of the issuer can be neither accepted nor rejected."""

    retry_after_seconds: float


class KeySet:
    """The keys of one issuer."""

    def __init__(self, place: str, fetch_from: Fetch = fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._fetch = fetch_from
        self._clock = clock
        self._keys: dict[str | None, Key] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._is_readable = False
        self._waiting = 0
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> Key | KeysUnavailable | None:
        """Return the key with that id (None: the only key); None if the issuer has no such key."""
        found = self._find(kid)
        if found is not None:
            if self._clock() - self._fetched_at > FRESH_SECONDS:
                # The old keys stay valid meanwhile, so that no request waits for a slow issuer.
                self._refresh_if_allowed()
            return found
        refreshing = self._refresh_if_allowed()
        if refreshing is not None and self._waiting >= MOST_WAITING:
            return KeysUnavailable(1.0)
        if refreshing is not None:
            self._waiting += 1
            try:
                # A client that leaves must not end the fetch that the others wait for.
                await asyncio.shield(refreshing)
            finally:
                self._waiting -= 1
            found = self._find(kid)
        if found is not None or self._is_readable:
            return found
        return KeysUnavailable(max(1.0, self._tried_at + PAUSE_SECONDS - self._clock()))

    def _refresh_if_allowed(self) -> asyncio.Task[None] | None:
        """Return the fetch that runs, or begin one after the pause."""
        if self._refreshing is None and self._clock() - self._tried_at > PAUSE_SECONDS:
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(self._on_refreshed)
        return self._refreshing

    def _on_refreshed(self, _: asyncio.Task[None]) -> None:
        self._refreshing = None

    def _find(self, kid: str | None) -> Key | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(2 * FETCH_SECONDS):
                keys = read_keys(await asyncio.to_thread(self._fetch, self._place))
        except (OSError, ValueError, RecursionError, httpx.HTTPError, httpx.InvalidURL) as error:
            self._is_readable = False
            log.warning("oidc.keys_not_refreshed", error=type(error).__name__, keys=len(self._keys))
            return
        finally:
            self._tried_at = self._clock()
        self._keys, self._fetched_at, self._is_readable = keys, self._clock(), True


def read_keys(content: bytes) -> dict[str | None, Key]:
    """Parse a JSON Web Key Set. Raises ValueError if it has no usable key."""
    document = json.loads(content)
    entries = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str | None, Key] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            if entry.get("kty") not in _KINDS:
                continue
            keys[entry.get("kid")] = jwk.import_key(entry)
        except (JoseError, ValueError, TypeError):
            continue
    if not keys:
        raise ValueError("no usable key")
    return keys
