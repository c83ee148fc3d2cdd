"""A person's session: what it holds, when it ends, and how it becomes cookies. The console stores no session.

A session ends after `idle_after` without an action, after `session_life`, and with its token. The polls of a workbench
are actions while its reader works in the payer's session, until `handoff_idle_after` behind the last action. Each
sign-in creates a new session, so an attacker cannot plant a session before it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from pydantic import SecretStr, TypeAdapter, ValidationError

from console.person import SignedInPerson, SignInWay
from console.sign_in.cookies import CookieJar
from console.sign_in.sealing import Sealer
from runtime.settings import ConsoleSettings

PURPOSE: Final = "session"
RENEW_BEFORE: Final = timedelta(seconds=30)
"""A token is renewed this long before its end."""
TOUCH_AFTER: Final = timedelta(minutes=1)
"""The time of the last action is written at most this often, not with every page."""


@dataclass(frozen=True, slots=True)
class PersonSession:
    """What the cookies hold.

    Attributes:
        id: A random id; it differs for each sign-in.
        credential: The bearer token of the person's calls of the API.
        permissions: The permissions at the sign-in; they count only while the API does not answer.
        started_at: When the person signed in.
        seen_at: The time of the person's last action; polls of a page do not count.
        held_at: The time of the last poll of a workbench whose reader works in the payer's session.
        token_ends_at: When the credential ends; None if it has no known end.
        renewal: The refresh token of the issuer.
        is_step_up: The API had demanded the sign-in.
    """

    id: str
    way: SignInWay
    name: str
    credential: SecretStr
    permissions: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    held_at: datetime
    token_ends_at: datetime | None = None
    renewal: SecretStr | None = None
    is_step_up: bool = False

    def renewed(self, credential: str, renewal: str | None, token_ends_at: datetime | None) -> Self:
        """Return the session with new tokens."""
        return replace(
            self,
            credential=SecretStr(credential),
            renewal=None if renewal is None else SecretStr(renewal),
            token_ends_at=token_ends_at,
        )


_STORED: Final = TypeAdapter(PersonSession)


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long sessions last. Pure."""

    idle_after: timedelta
    handoff_idle_after: timedelta
    life: timedelta

    def ends_at(self, session: PersonSession) -> datetime:
        """Return when the session ends without a further action."""
        held_until = min(session.held_at + self.idle_after, session.seen_at + self.handoff_idle_after)
        ends = min(max(session.seen_at + self.idle_after, held_until), session.started_at + self.life)
        if session.token_ends_at is not None and session.renewal is None:
            ends = min(ends, session.token_ends_at)
        return ends

    def is_alive(self, session: PersonSession, now: datetime) -> bool:
        """Return whether the session has not ended. One that begins in the future has ended: a clock was wrong."""
        return session.started_at - TOUCH_AFTER <= now < self.ends_at(session)

    def needs_renewal(self, session: PersonSession, now: datetime) -> bool:
        """Return whether the token ends soon, and can be renewed."""
        return (
            session.renewal is not None
            and session.token_ends_at is not None
            and now >= session.token_ends_at - RENEW_BEFORE
        )

    def touched(self, session: PersonSession, now: datetime) -> PersonSession | None:
        """Return the session after an action of the person; None if the stored time is recent enough."""
        return replace(session, seen_at=now) if now - session.seen_at >= TOUCH_AFTER else None

    def held(self, session: PersonSession, now: datetime) -> PersonSession | None:
        """Return the session after a poll of a held handoff; None if nothing, or too little, changes."""
        is_recent = now - max(session.seen_at, session.held_at) < TOUCH_AFTER
        return None if is_recent or now >= session.seen_at + self.handoff_idle_after else replace(session, held_at=now)


class Sessions:
    """Makes, reads and writes sessions."""

    def __init__(self, sealer: Sealer, settings: ConsoleSettings) -> None:
        self._sealer = sealer
        self._jar = CookieJar("session", encrypted=(settings.public_url or "").startswith("https://"))
        self.rules = SessionRules(settings.idle_after, settings.handoff_idle_after, settings.session_life)

    def read(self, cookies: Mapping[str, str], now: datetime) -> PersonSession | None:
        """Return the session of a request's cookies, if it has not ended."""
        sealed = self._jar.read(cookies)
        content = None if sealed is None else self._sealer.open(PURPOSE, sealed)
        if content is None:
            return None
        try:
            session = _STORED.validate_python(content)
        except ValidationError:  # of another release
            return None
        return session if self.rules.is_alive(session, now) else None

    def write(self, session: PersonSession, cookies: Mapping[str, str]) -> list[str]:
        """Return the Set-Cookie headers. Raises CookieTooLarge."""
        return self._jar.write(self._sealer.seal(PURPOSE, _as_json(session)), cookies)

    def clear(self, cookies: Mapping[str, str]) -> list[str]:
        """Return the Set-Cookie headers that end the session in this browser."""
        return self._jar.clear(cookies)

    def person(self, session: PersonSession, permissions: frozenset[str]) -> SignedInPerson:
        """Return the person of a session."""
        stepped_up_at = session.started_at if session.is_step_up else None
        ends_at = self.rules.ends_at(session)
        return SignedInPerson(session.name, permissions, session.credential, session.way, ends_at, stepped_up_at)


def new_session(
    way: SignInWay,
    name: str,
    credential: SecretStr,
    permissions: frozenset[str],
    now: datetime,
    *,
    seconds: float | None = None,
    renewal: str | None = None,
) -> PersonSession:
    """Return the session of a person who has just signed in. `seconds` is the lifetime of the credential."""
    return PersonSession(
        secrets.token_urlsafe(16),
        way,
        name,
        credential,
        tuple(sorted(permissions)),
        now,
        now,
        now,
        end_of_token(now, seconds),
        None if renewal is None else SecretStr(renewal),
    )


def end_of_token(now: datetime, seconds: float | None) -> datetime | None:
    """Return the end of a token that was issued now with this lifetime."""
    return None if seconds is None else now + timedelta(seconds=min(max(seconds, 0.0), 10.0**8))


def _as_json(session: PersonSession) -> dict[str, Any]:
    def stored(value: object) -> object:
        match value:
            case datetime():
                return int(value.timestamp())
            case SecretStr():
                return value.get_secret_value()
            case _:
                return value

    return {field.name: stored(getattr(session, field.name)) for field in fields(session)}
