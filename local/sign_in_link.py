"""One-time links of `make dev` into the console. A link works once, within an hour.

This program and the console share a directory (`GATEWAY_CONSOLE__LINK_DIRECTORY`). A link names a file there, which
contains the person's token; the console removes the file when the link is opened (`console/sign_in/links.py`).
"""

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

VALID_FOR: Final = timedelta(hours=1)


def one_time_link(directory: Path, public_url: str, token: str, now: datetime) -> str:
    """Return a link that signs in with a person's token. Remove expired links."""
    seconds = now.timestamp()
    for old in directory.glob("*.link"):
        if seconds >= json.loads(old.read_text())["ends_at"]:
            old.unlink(missing_ok=True)
    name = secrets.token_urlsafe(24)
    file = directory / f"{hashlib.sha256(name.encode()).hexdigest()}.link"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"token": token, "ends_at": seconds + VALID_FOR.total_seconds()}))
    return f"{public_url}/sign-in/link?token={name}"
