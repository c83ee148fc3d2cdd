"""Standard Webhooks signatures: HMAC-SHA256 over the message id, the time and the raw body. Pure.

    webhook-id: msg_1   webhook-timestamp: 1700000000   webhook-signature: v1,<base64> v1,<base64>

A caller may have several secrets, so that it can rotate them. The message id is the idempotency key, so a replay of a
signed request is the same command.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

TOLERANCE_SECONDS = 300
_WRITTEN_PREFIX = "whsec_"
MIN_SECRET_BYTES = 24
_ID = re.compile(rb"[!-~]{1,255}")
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_MAX_SIGNATURES = 16


class SecretInvalid(ValueError):
    """A signing secret that is not `whsec_` and the base64 of at least 24 bytes."""


def read_secret(text: str) -> bytes:
    """Return the bytes of a secret in the notation of Standard Webhooks. Raises SecretInvalid."""
    try:
        secret = base64.b64decode(text.strip().removeprefix(_WRITTEN_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SecretInvalid("expected whsec_ and base64") from None
    if len(secret) < MIN_SECRET_BYTES:
        raise SecretInvalid(f"expected at least {MIN_SECRET_BYTES} bytes")
    return secret


def verify(headers: Mapping[bytes, bytes], body: bytes, secrets: tuple[bytes, ...], now: float) -> str | None:
    """Return the message id if one of the secrets signed it within the tolerance, else None."""
    message_id, timestamp = headers.get(b"webhook-id", b""), headers.get(b"webhook-timestamp", b"")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return None
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return None
    signatures = [
        signature.removeprefix(b"v1,")
        for signature in headers.get(b"webhook-signature", b"").split(b" ")[:_MAX_SIGNATURES]
        if signature.startswith(b"v1,")
    ]
    signed = b"%s.%s.%s" % (message_id, timestamp, body)
    is_valid = False
    # Compare all of them, so that the time does not show which one matched.
    for secret in secrets:
        expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
        for signature in signatures:
            is_valid |= hmac.compare_digest(expected, signature)
    return message_id.decode("ascii") if is_valid else None
