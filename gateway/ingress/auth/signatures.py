"""Standard Webhooks signatures: HMAC-SHA256 over the raw body, its id and its time. Pure.

    webhook-id: msg_1   webhook-timestamp: 1700000000   webhook-signature: v1,<base64> v1,<base64>

Several secrets hold at once, so that one can be rotated. A signature proves who sent exactly these bytes lately; the id
is the idempotency key, so that sending them again is the same command.
"""

import base64
import binascii
import hashlib
import hmac
import re

TOLERANCE_SECONDS = 300
_WRITTEN_AS = "whsec_"
SHORTEST_SECRET = 24
_ID = re.compile(rb"[!-~]{1,255}")
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_MOST_SIGNATURES = 16


class SecretInvalid(ValueError):
    """A signing secret is not whsec_ and the base64 of at least 24 bytes."""


def read_secret(text: str) -> bytes:
    """Return the bytes of a secret as the specification writes it; raises SecretInvalid."""
    try:
        secret = base64.b64decode(text.strip().removeprefix(_WRITTEN_AS), validate=True)
    except (binascii.Error, ValueError):
        raise SecretInvalid("expected whsec_ and base64") from None
    if len(secret) < SHORTEST_SECRET:
        raise SecretInvalid(f"expected at least {SHORTEST_SECRET} bytes")
    return secret


def verify(headers: dict[bytes, bytes], body: bytes, secrets: tuple[bytes, ...], now: float) -> str | None:
    """Return the message's id if one of the secrets has signed it within the tolerance, else None."""
    message_id, timestamp = headers.get(b"webhook-id", b""), headers.get(b"webhook-timestamp", b"")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return None
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return None
    given = [
        signature.removeprefix(b"v1,")
        for signature in headers.get(b"webhook-signature", b"").split(b" ")[:_MOST_SIGNATURES]
        if signature.startswith(b"v1,")
    ]
    signed = b"%s.%s.%s" % (message_id, timestamp, body)
    is_right = False
    # All are compared, whatever an earlier comparison said.
    for secret in secrets:
        expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
        for signature in given:
            is_right |= hmac.compare_digest(expected, signature)
    return message_id.decode("ascii") if is_right else None
