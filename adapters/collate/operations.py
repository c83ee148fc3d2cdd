"""The calls that we make, as names (in keys, logs and metrics) and as paths (collate-api.md section 1)."""

import re
from enum import StrEnum
from typing import Final

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


class Operation(StrEnum):
    """One endpoint. The values go into idempotency keys: they are frozen."""

    GET_AUTHORIZATION = "get-authorization"
    GET_HANDOFF = "get-handoff"
    CREATE_HANDOFF = "create"
    COMPLETE = "complete"
    UNABLE_TO_COMPLETE = "unable-to-complete"
    REVOKE = "revoke"
    MINT_GRANT = "mint-grant"
    HEALTH = "health"

    @property
    def writes(self) -> bool:
        """Whether a call may change anything at Collate."""
        return self not in _READS


_READS: Final = frozenset({Operation.GET_AUTHORIZATION, Operation.GET_HANDOFF, Operation.HEALTH})
CLOSES: Final = frozenset({Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE})


def path_of(operation: Operation, authorization_id: str = "", handoff_id: str = "") -> str:
    """Return the path of a call. ValueError for an id that can't be one, so that no path is ever built from it."""
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


def _checked(identifier: str) -> str:
    if not _ID.fullmatch(identifier):
        raise ValueError("id: expected 1 to 128 of A-Z a-z 0-9 . _ ~ -, beginning with a letter or digit")
    return identifier
