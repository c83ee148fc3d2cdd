"""The credentials of a caller: an API key, a bearer token, or a secret that signs commands (Standard Webhooks).

A wrong value is refused here, without its text: HTTP libraries quote a header that they cannot send.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

_PREFIX: Final = "whsec_"


def bearer(token: str) -> dict[str, str]:
    """Return the header of an API key or a token. Raises ValueError, without the value."""
    if not token or not all("!" <= character <= "~" for character in token):
        raise ValueError("the credential has to be visible ASCII without spaces or line ends")
    return {"authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Signer:
    """Signs commands by Standard Webhooks, without an API key or a token. Only `send_event` can be signed.

    Attributes:
        caller: The name of this service in the gateway's callers file.
        secret: The signing secret: `whsec_` and base64.
    """

    caller: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError, without the value."""
        _key(self.secret)

    @property
    def query(self) -> str:
        """The query that names the signer."""
        return f"caller={quote(self.caller, safe='')}"

    def headers(self, message_id: str, body: bytes, now: float) -> dict[str, str]:
        """Return the headers that sign a body. `now` is the present time in seconds since 1970."""
        timestamp = str(int(now))
        signed = signature(self.secret, message_id, timestamp, body)
        return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signed}


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message (Standard Webhooks). Raises ValueError, without the secret."""
    signed = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    return f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()}"


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the signing secret has to be whsec_ and base64") from None
    return key
