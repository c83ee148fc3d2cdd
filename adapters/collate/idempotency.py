"""Idempotency keys, derived: the same write of the same command has the same key on every replica, after every crash.

Frozen by golden vectors: another spelling would turn every retry in flight into a second write.
"""

from base64 import b32encode
from hashlib import sha256

from adapters.collate.operations import Operation
from schemas.identity import canonical_list


def write_key(command_id: str, operation: Operation, n: int) -> str:
    """Return the key of a command's n-th write: cg1- and 52 characters of [a-z2-7]."""
    digest = sha256(canonical_list([command_id, operation.value, n])).digest()
    return "cg1-" + b32encode(digest).rstrip(b"=").decode("ascii").lower()
