"""One-time links for a development machine: `gateway dev` prints one. It works once, within an hour.

The program that prints links and the console share a directory. A link names a file there, which contains the person's
token. Opening the link removes the file, so a link works once, even after a restart. Only this machine may open it.
"""

import hashlib
import ipaddress
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr

VALID_FOR: Final = timedelta(hours=1)
MOST_CHARACTERS: Final = 64


def one_time_link(directory: Path, public_url: str, token: str, now: datetime) -> str:
    """Return a link that signs in with a person's token. Remove expired links."""
    seconds = now.astimezone(UTC).timestamp()
    for old in directory.glob("*.link"):
        if seconds >= _ends_at(old):
            old.unlink(missing_ok=True)
    name = secrets.token_urlsafe(24)
    file = _file(directory, name)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"token": token, "ends_at": seconds + VALID_FOR.total_seconds()}))
    return f"{public_url}/sign-in/link?token={name}"


@dataclass(frozen=True, slots=True)
class OneTimeLinks:
    """Opens the links of a directory."""

    directory: Path

    def open(self, name: str, peer: str | None, now: datetime) -> SecretStr | None:
        """Return the person's token; None if the link does not exist, has expired, or the peer is another machine."""
        if not _is_loopback(peer) or not 0 < len(name) <= MOST_CHARACTERS:
            return None
        file = _file(self.directory, name)
        try:
            content = json.loads(file.read_text())
            # If two requests open the link at once, only one of them finds the file.
            file.unlink()
        except (OSError, ValueError):
            return None
        match content:
            case {"token": str() as token, "ends_at": int() | float() as ends_at} if now.timestamp() < ends_at:
                return SecretStr(token)
            case _:
                return None


def _file(directory: Path, name: str) -> Path:
    return directory / f"{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()}.link"


def _ends_at(file: Path) -> float:
    try:
        return float(json.loads(file.read_text())["ends_at"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0.0


def _is_loopback(peer: str | None) -> bool:
    try:
        return peer is not None and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
