"""One-time links for a development machine.

The program that prints links and the console share a directory. A link's name has a file there, which contains the
person's token and the end of its validity. Opening the link removes the file, so it works once, even after a restart.
Only this machine may open it.
"""

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

MOST_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class OneTimeLinks:
    """Opens the links of a directory."""

    directory: Path

    def open(self, name: str, peer: str | None, now: datetime) -> SecretStr | None:
        """Return the person's token; None if the link does not exist, has expired, or the peer is another machine."""
        if not _is_loopback(peer) or not 0 < len(name) <= MOST_CHARACTERS:
            return None
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        file = self.directory / f"{digest}.link"
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


def _is_loopback(peer: str | None) -> bool:
    try:
        return peer is not None and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
