"""Standard Webhooks signatures: HMAC-SHA256 over the message id, the time and the raw body. Pure.

    webhook-id: msg_1   webhook-timestamp: 1700000000   webhook-signature: v1,<base64> v1,<base64>

A caller may have several secrets, so that it can rotate them. The signature covers neither the method nor the path, the
query or another header: `signed_commands` limits its use.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

TOLERANCE_SECONDS = 300
_ID = re.compile(rb"[!-~]{1,255}")
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v1,[A-Za-z0-9+/]{43}=")  # the base64 of 32 bytes
_MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class Signature:
    """A well-formed signature within the tolerance. Only `is_valid` proves its signer.

    Attributes:
        message_id: The value of `webhook-id`.
        signed_head: The part of the signed text before the body.
        values: The signatures of version 1, in base64.
    """

    message_id: str
    signed_head: bytes
    values: tuple[bytes, ...]

    def is_valid(self, body: bytes, secrets: tuple[bytes, ...]) -> bool:
        """Return whether one of the secrets signed this body."""
        signed = self.signed_head + body
        is_valid = False
        # Compare all of them, so that the time does not show which one matched.
        for secret in secrets:
            expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
            for value in self.values:
                is_valid |= hmac.compare_digest(expected, value)
        return is_valid


def read_signature(headers: Mapping[bytes, bytes], now: float) -> Signature | None:
    """Return the headers' signature. None: a header is missing or malformed, or the time is outside the tolerance."""
    message_id, timestamp = headers.get(b"webhook-id", b""), headers.get(b"webhook-timestamp", b"")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return None
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return None
    values = tuple(
        signature.removeprefix(b"v1,")
        for signature in headers.get(b"webhook-signature", b"").split(b" ")[:_MAX_SIGNATURES]
        if _SIGNATURE.fullmatch(signature)
    )
    return Signature(message_id.decode("ascii"), b"%s.%s." % (message_id, timestamp), values) if values else None
