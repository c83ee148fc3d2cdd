"""A key and the texts that it seals: compact JWE (RFC 7516), `dir` with A256GCM.

joserfc opens these texts and writes the same ones; a test compares both ways. Its model of headers, keys and algorithms
costs ten times what AES costs, so `cryptography` seals and opens (decision 0025).
"""

import binascii
import hashlib
import os
from json.encoder import encode_basestring_ascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.sealing import Unopened

KEY_BYTES: Final = 32
BEGIN: Final = 64
"""The length of the beginning of a sealed text that names its key: 48 bytes of the header, in base64."""
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


class SealingKey:
    """Seals and opens texts. It has a digest key of its own, made from the same bytes."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError if the content is not KEY_BYTES long."""
        # The id only selects the key. It is a hash of a hash, so it reveals nothing about the key.
        self.id = hashlib.sha256(b"kid" + hashlib.sha256(content).digest()).hexdigest()[:12]
        self._begin = _encoded(b'{"alg":"dir","enc":"A256GCM","kid":"%s' % self.id.encode())
        self.begin = self._begin.decode()
        self._cipher = AESGCM(content)
        self._digest_key = hashlib.blake2b(b"digest", key=content).digest()

    def seal(self, purpose: str, content: bytes) -> str:
        """Return the content as a compact JWE, whose header authenticates the purpose."""
        header = self._header(purpose)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, content, header)
        parts = (header, b"", _encoded(nonce), _encoded(sealed[:-_TAG_BYTES]), _encoded(sealed[-_TAG_BYTES:]))
        return b".".join(parts).decode()

    def open(self, purpose: str, sealed: str) -> bytes | Unopened:
        """Return the content of a text that this key sealed."""
        try:
            header, _, nonce, content, tag = sealed.encode("ascii").split(b".")
            opened = self._cipher.decrypt(_decoded(nonce), _decoded(content) + _decoded(tag), header)
        except (InvalidTag, ValueError):
            return Unopened("expected a sealed text without changes")
        if header != self._header(purpose):
            return Unopened("expected a text that was sealed for this purpose")
        return opened

    def digest(self, content: bytes) -> str:
        """Return 16 characters: four of the key's id, and 48 bits that need the key."""
        return self.id[:4] + hashlib.blake2b(content, digest_size=6, key=self._digest_key).hexdigest()

    def _header(self, purpose: str) -> bytes:
        return self._begin + _encoded(b'","typ":%s}' % encode_basestring_ascii(purpose).encode())


def key_of(text: str) -> SealingKey | None:
    """Return the key; None if the text is not KEY_BYTES bytes in base64, in one of its alphabets."""
    try:
        content = binascii.a2b_base64(_standard(text.rstrip("=").encode("ascii")) + b"=", strict_mode=True)
    except ValueError:
        return None
    return SealingKey(content) if len(content) == KEY_BYTES else None


# `replace` costs half of the table that `base64.urlsafe_b64encode` uses, and this is most of a sealed text's cost.
def _encoded(content: bytes) -> bytes:
    text = binascii.b2a_base64(content, newline=False).rstrip(b"=")
    return text.replace(b"+", b"-").replace(b"/", b"_")


def _decoded(text: bytes) -> bytes:
    return binascii.a2b_base64(_standard(text) + b"==")


def _standard(text: bytes) -> bytes:
    return text.replace(b"-", b"+").replace(b"_", b"/")
