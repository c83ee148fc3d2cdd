"""Keys for the PHI of the records that a test or a bench writes or reads itself."""

import secrets

from runtime.credentials.key_ring import FixedKeys, key_of_line


def new_keys() -> FixedKeys:
    """Return a ring of one random key."""
    return keys_of(secrets.token_urlsafe(32))


def keys_of(content: str) -> FixedKeys:
    """Return the keys of a key file's content. Raises ValueError for an invalid line."""
    keys = [key_of_line(line) for line in content.splitlines()]
    if None in keys:
        raise ValueError("expected 32 bytes in base64 on each line")
    return FixedKeys([key for key in keys if key is not None])
