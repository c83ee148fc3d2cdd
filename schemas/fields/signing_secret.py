"""The notation of a signing secret of Standard Webhooks: `whsec_` and base64. Pure."""

import base64
import binascii
from typing import Final

WRITTEN_PREFIX: Final = "whsec_"
MIN_SECRET_BYTES: Final = 24


class SecretInvalid(ValueError):
    """A signing secret that is not `whsec_` and the base64 of at least 24 bytes."""


def read_secret(text: str) -> bytes:
    """Return the bytes of a secret in the notation of Standard Webhooks. Raises SecretInvalid."""
    try:
        secret = base64.b64decode(text.strip().removeprefix(WRITTEN_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SecretInvalid("expected whsec_ and base64") from None
    if len(secret) < MIN_SECRET_BYTES:
        raise SecretInvalid(f"expected at least {MIN_SECRET_BYTES} bytes")
    return secret
