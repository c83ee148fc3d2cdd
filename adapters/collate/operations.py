"""The calls that the gateway makes: their names, paths, idempotency keys and preconditions. Pure.

docs/collate-contract.md §1 lists the endpoints, §2 the rules of If-Match and Idempotency-Key.
"""

from base64 import b32encode
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal

from schemas.commands import CLOSE_ACTIONS, Completed, Revoked, UnableToComplete
from schemas.fields.scalars import ID_PHRASE, is_id
from schemas.identity import canonical_json


class Operation(StrEnum):
    """One endpoint. Idempotency keys are derived from the values, so the values never change."""

    GET_AUTHORIZATION = "get-authorization"
    GET_HANDOFF = "get-handoff"
    CREATE_HANDOFF = "create"
    COMPLETE = Completed.OPERATION
    UNABLE_TO_COMPLETE = UnableToComplete.OPERATION
    REVOKE = Revoked.OPERATION
    MINT_GRANT = "mint-grant"
    HEALTH = "health"

    @property
    def writes(self) -> bool:
        """Whether a call may change state at Collate."""
        return self not in _READS


_READS: Final = frozenset({Operation.GET_AUTHORIZATION, Operation.GET_HANDOFF, Operation.HEALTH})
CLOSES: Final = frozenset(Operation(action.OPERATION) for action in CLOSE_ACTIONS)


def path_of(operation: Operation, authorization_id: str = "", handoff_id: str = "") -> str:
    """Return the path of a call. Raises ValueError for a malformed id, so that no id can change the path's shape."""
    if operation is Operation.HEALTH:
        return "/health"
    path = f"/v1/prior-authorizations/{_checked(authorization_id)}"
    if operation is Operation.GET_AUTHORIZATION:
        return path
    path += "/manual-handoffs"
    if operation is Operation.CREATE_HANDOFF:
        return path
    path += f"/{_checked(handoff_id)}"
    if operation is Operation.GET_HANDOFF:
        return path
    if operation is Operation.MINT_GRANT:
        return path + "/access-grants"
    return f"{path}/{operation.value}"


def write_key(command_id: str, operation: Operation, n: int) -> str:
    """Return the idempotency key of a command's n-th write: cg1- and 52 characters of [a-z2-7].

    The same write of the same command has the same key on every replica and after every crash. Golden vectors in the
    tests freeze the format: with another format, every retry in flight would become a second write.
    """
    digest = sha256(canonical_json([command_id, operation.value, n])).digest()
    return "cg1-" + b32encode(digest).rstrip(b"=").decode("ascii").lower()


def if_match(version: int) -> str:
    """Return the version as a strong quoted entity tag."""
    return f'"{version}"'


def close_version(reading: Literal["authorization", "handoff"], authorization: int, handoff: int) -> int:
    """Return the version that a close must match, by the setting if_match_on_close (docs/collate-contract.md §10b)."""
    return authorization if reading == "authorization" else handoff


def _checked(identifier: str) -> str:
    if not is_id(identifier):
        raise ValueError(f"id: expected {ID_PHRASE}")
    return identifier
