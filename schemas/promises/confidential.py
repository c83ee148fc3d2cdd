"""The form of what is confidential: a command's PHI without encryption, and text that looks like a secret."""

import re
from typing import Final

from schemas.commands import Command
from schemas.public_fields import is_public, public_part

_JWE: Final = re.compile(rb'"sealed":"[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+"}$', re.ASCII)
# A link, a token, a signing secret, a private key. The tuple is asked first: it costs a tenth.
_SECRET: Final = re.compile(
    rb"https?://|eyJ[\w-]{12,}\.[\w-]{12,}\.|whsec_|bearer |-----BEGIN", re.ASCII | re.IGNORECASE
)
# Names and tickets are public, and a caller of before may have sent a URL in one.
_NAMES: Final = re.compile(
    rb'"(?:caller|ofCaller|opener|operator|requestedBy|acceptedBy|reportedBy|claimedBy|by|ticket)": ?"(?:[^"\\]|\\.)*"'
)
_MARKS: Final = (b"://", b"eyJ", b"whsec_", b"earer ", b"-----BEGIN")


def has_clear_text(command: Command, value: bytes) -> bool:
    """Whether a command with PHI has no encrypted part, or shows more than its public part."""
    if is_public(type(command)):
        return False
    return _JWE.search(value) is None or command != public_part(command)


def has_secret(value: bytes) -> bool:
    """Whether a value has the form of a secret, outside of names, tickets and the encrypted part at its end."""
    if not any(mark in value for mark in _MARKS):
        return False
    return _SECRET.search(_NAMES.sub(b"", _JWE.sub(b"", value))) is not None
