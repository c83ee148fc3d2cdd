"""The calls of a walk: writes with and without a key, reads, and the end of every handoff that the walk has opened."""

import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from adapters.collate.operations import Operation, path_of
from cli.collate.caller import CollateUnreachable, ProbeCaller, Reply
from cli.collate.findings import Findings
from schemas.collate.authorization import HandoffPointer, PriorAuthorization

REASON: Final = {"reason": "gateway collate probe", "notes": None}
_CONFLICTS: Final = frozenset({"version_conflict"})


class IfMatch(StrEnum):
    """What the answer to a write with a wrong If-Match shows."""

    IGNORED = "ignored"
    COMPARED = "compared"
    UNKNOWN = "unknown"


class HandoffCalls:
    """The calls about one authorization, and what they have shown so far."""

    def __init__(
        self, collate: ProbeCaller, authorization: PriorAuthorization, findings: Findings, accepted: str | None
    ) -> None:
        """`accepted`: the review snapshot that a reviewer has accepted, if the action covers one."""
        self._collate = collate
        self._findings = findings
        self._id = authorization.id
        self._version = authorization.version
        self._body: Mapping[str, object] = {} if accepted is None else {"acceptedReviewSnapshotId": accepted}
        self._handoff: str | None = None
        self._opened: list[str] = []
        # Whether each kind of write takes a key.
        self._keys = dict.fromkeys(("create", "grant", "close"), True)
        self._if_match = IfMatch.UNKNOWN
        self._raises: dict[str, bool] = {}

    async def _write(self, kind: str, path: str, body: Mapping[str, object], version: int, key: str) -> Reply:
        """Write with the key, and again without it if only the key can be the cause of a refusal."""
        if not self._keys[kind]:
            return await self._collate.post(path, body, version=version)
        reply = await self._collate.post(path, body, version=version, key=key)
        # A 5xx may have had an effect: it is not repeated.
        if if_match_of(reply) is not IfMatch.UNKNOWN or reply.code == "idempotency_key_reused" or reply.status >= 500:
            return reply
        plain = await self._collate.post(path, body, version=version)
        if if_match_of(plain) is IfMatch.UNKNOWN:
            return reply
        self._keys[kind] = False
        self._add("2", f"Idempotency-Key on a {kind}", f"refused ({reply})")
        return plain

    async def _read(self) -> Reply:
        reply = await self._collate.get(path_of(Operation.GET_AUTHORIZATION, self._id))
        self._version = reply.version or self._version
        return reply

    async def _read_handoff(self) -> Reply:
        return await self._collate.get(path_of(Operation.GET_HANDOFF, self._id, self._handoff or "none"))

    def _took(self, reply: Reply) -> None:
        if reply.is_ok and (handoff_id := reply.text("id")) is not None:
            self._handoff = handoff_id
            self._opened.append(handoff_id)

    def _require_same(self, reply: Reply, what: str) -> None:
        if reply.is_ok and reply.text("id") not in self._opened:
            self._took(reply)
            self._add("5.1", what, "opened a second handoff", is_problem=True)

    def _raised(self, what: str, before: int, found: Reply) -> None:
        is_raised = found.version is not None and found.version > before
        self._add("10b", f"a {what} raises the authorization's version", yes(is_raised))
        self._raises[what] = is_raised

    async def _clean_up(self) -> None:
        for handoff_id in self._opened:
            if not await self._is_closed(handoff_id):
                self._add("5", "the probe's handoff", f"{handoff_id} is still open: close it", is_problem=True)

        await self._report_unknown()

    async def _report_unknown(self) -> None:
        """Report a handoff that is open although no response named it: a lost response may have opened it."""
        try:
            pointer = (await self._read()).document.get("activeManualHandoff")
        except CollateUnreachable:
            self._add("5", "an open handoff", "unknown: Collate does not respond", is_problem=True)
            return
        handoff_id = HandoffPointer.model_validate(pointer).id if pointer is not None else None
        if pointer is not None and handoff_id not in self._opened:
            shown = handoff_id or "of unknown id"
            self._add("5", "an open handoff", f"{shown}: the probe may have opened it, close it", is_problem=True)

    async def _is_closed(self, handoff_id: str) -> bool:
        self._handoff = handoff_id
        try:
            if (await self._read_handoff()).text("state") in {"closed", "closing"}:
                return True
            await self._read()
            path = path_of(Operation.REVOKE, self._id, handoff_id)
            return (await self._revoke(path, self._version)).is_ok
        except CollateUnreachable:
            return False

    async def _revoke(self, path: str, version: int) -> Reply:
        return await self._write("close", path, REASON, version, new_key())

    def _add(self, section: str, question: str, reading: str, *, is_problem: bool = False) -> None:
        self._findings.add(section, question, reading, is_problem=is_problem)


def if_match_of(reply: Reply) -> IfMatch:
    """Return what the answer shows, if the write's version was wrong. With the right version IGNORED is: accepted."""
    if reply.is_ok:
        return IfMatch.IGNORED
    return IfMatch.COMPARED if reply.code in _CONFLICTS or reply.status == 412 else IfMatch.UNKNOWN


def new_key() -> str:
    """Return a key that no other request has."""
    return f"probe-{secrets.token_hex(16)}"


def yes(is_true: bool) -> str:  # noqa: FBT001 - a value, not a switch
    """Return the word of a report."""
    return "yes" if is_true else "no"
