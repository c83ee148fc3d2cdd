"""Signatures of Standard Webhooks for what the deliverer sends. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each secret, so that a receiver can rotate."""
    signed = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp, body)
    digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode('ascii')}" for digest in digests)
