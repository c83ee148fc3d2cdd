"""Standard Webhooks signatures: HMAC-SHA256 over the message id, the time and the raw body. Pure.

    webhook-id: msg_1   webhook-timestamp: 1700000000   webhook-signature: v1,<base64> v1,<base64>

The deliverer writes them, the ingress reads them. A service may have several secrets, so that it can rotate them. A
signature covers neither the method nor the path, the query or another header.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TOLERANCE_SECONDS = 300
_ID = re.compile(r"[!-~]{1,255}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v1,[A-Za-z0-9+/]{43}=")  # the base64 of 32 bytes
_MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class Signature:
    """A well-formed signature within the tolerance. Only `is_valid` proves its signer.

    Attributes:
        message_id: The value of `webhook-id`.
        timestamp: The value of `webhook-timestamp`.
        values: The signatures of version 1.
    """

    message_id: str
    timestamp: str
    values: tuple[bytes, ...]

    def is_valid(self, body: bytes, secrets: tuple[bytes, ...]) -> bool:
        """Return whether one of the secrets signed this body."""
        is_valid = False
        # Compare all of them, so that the time does not show which one matched.
        for expected in _signatures(secrets, self.message_id, self.timestamp, body):
            for value in self.values:
                is_valid |= hmac.compare_digest(expected, value)
        return is_valid


def is_message_id(text: str) -> bool:
    """Return whether a signature can cover this id: as a header it is visible ASCII."""
    return _ID.fullmatch(text) is not None


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each secret."""
    return b" ".join(_signatures(secrets, message_id, str(timestamp), body)).decode("ascii")


def read_signature(headers: Mapping[bytes, bytes], now: float) -> Signature | None:
    """Return the headers' signature. None: a header is missing or malformed, or the time is outside the tolerance."""
    message_id = headers.get(b"webhook-id", b"").decode("latin-1")
    timestamp = headers.get(b"webhook-timestamp", b"").decode("latin-1")
    if not is_message_id(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return None
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return None
    given = headers.get(b"webhook-signature", b"").split(b" ")[:_MAX_SIGNATURES]
    values = tuple(signature for signature in given if _SIGNATURE.fullmatch(signature))
    return Signature(message_id, timestamp, values) if values else None


def _signatures(secrets: Sequence[bytes], message_id: str, timestamp: str, body: bytes) -> list[bytes]:
    signed = f"{message_id}.{timestamp}.".encode("ascii") + body
    return [b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)) for secret in secrets]
