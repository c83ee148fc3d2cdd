"""One handoff in Collate's test environment: opened, read, granted, closed. Each step asks one question.

    create   without If-Match · with a wrong one · right · again · with another body · with a new key
    grant    twice with one key · with a new key · without a key. No link is opened or shown.
    close    without If-Match · by the handoff's version · by the authorization's · again · with a new key

The handoff is closed at the end after every failure, or the findings say that it is open.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from adapters.collate.operations import Operation, path_of
from cli.collate.caller import Reply
from cli.collate.handoff_calls import REASON, HandoffCalls, IfMatch, if_match_of, new_key, yes
from cli.collate.reading import pointer_shape

_WRONG_SNAPSHOT: Final = {"acceptedReviewSnapshotId": "rev_gateway_probe"}
_POLL_SECONDS: Final = 0.5
# How long a handoff may take to become active, or closed, before the walk continues without it.
_STATE_SECONDS: Final = 60.0
# So far from the version that no other actor's change makes it right.
_WRONG: Final = 1_000


class Walk(HandoffCalls):
    """A walk over one authorization that waits for a handoff."""

    async def run(self) -> None:
        """Walk. Raises CollateUnreachable."""
        try:
            created = await self._create()
            if created is None:
                return
            await self._while_open(created)
            await self._grants()
            await self._close()
            await self._after_close()
        finally:
            await self._clean_up()
        self._conclude()

    # Create

    async def _create(self) -> Reply | None:
        path = path_of(Operation.CREATE_HANDOFF, self._id)
        if "acceptedReviewSnapshotId" in self._body:
            reply = await self._collate.post(path, {}, version=self._version, key=new_key())
            self._took(reply)
            self._add("5.1", "create without the covered snapshot", str(reply), is_problem=reply.is_ok)
        first, key = None, new_key()
        if self._handoff is None:
            reply = await self._collate.post(path, self._body, key=new_key())
            self._took(reply)
            self._add("2", "create without If-Match", "accepted" if reply.is_ok else str(reply))
            first = reply if reply.is_ok else None
        if self._handoff is None:
            reply = await self._write("create", path, self._body, self._version + _WRONG, key)
            self._took(reply)
            self._if_match = if_match_of(reply)
            self._add(
                "2", "create with a wrong If-Match", "accepted" if reply.is_ok else str(reply), is_problem=reply.is_ok
            )
            first = reply if reply.is_ok else None
        if self._handoff is None:
            first = await self._right_create(path, key)
        return first

    async def _right_create(self, path: str, key: str) -> Reply | None:
        """Create under the key of a refused create: a Collate that stores failures repeats the refusal."""
        keyed = self._keys["create"]
        reply = await self._write("create", path, self._body, self._version, key)
        if keyed and reply.code in {"version_conflict", "idempotency_key_reused"}:
            self._add("2", "a refusal under a key", "stored: the next write needs a new key")
            key = new_key()
            reply = await self._collate.post(path, self._body, version=self._version, key=key)
        elif keyed and self._keys["create"] and reply.is_ok:
            self._add("2", "a refusal under a key", "not stored")
        self._took(reply)
        self._add("5.1", "create", f"{reply}, {reply.text('state') or 'no state'}", is_problem=not reply.is_ok)
        if not reply.is_ok or self._handoff is None:
            return None
        if self._keys["create"]:
            await self._repeat_create(path, key)
        return reply

    async def _repeat_create(self, path: str, key: str) -> None:
        repeated = await self._collate.post(path, self._body, version=self._version, key=key)
        stale = await self._collate.post(path, self._body, version=self._version + _WRONG, key=new_key())
        other = await self._collate.post(path, _WRONG_SNAPSHOT, version=self._version, key=key)
        is_honoured = other.code == "idempotency_key_reused"
        self._add("2", "Idempotency-Key on a create", "honoured" if is_honoured else "ignored")
        if not repeated.is_ok:
            order = f"If-Match first: the identical request gets {repeated}"
        elif stale.is_ok:
            order = "the active handoff first"
        else:
            order = "the key, then If-Match"
        self._add("5.1", "order of checks on a repeated create", order)
        for reply in (repeated, stale, other):
            self._require_same(reply, "a repeated create")

    # While the handoff is open

    async def _while_open(self, created: Reply) -> None:
        state = created.text("state")
        began = time.monotonic()
        while state == "offered" and time.monotonic() - began < _STATE_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            state = (await self._read_handoff()).text("state")
        if created.text("state") == "offered":
            self._add("5", "offered", f"for about {time.monotonic() - began:.0f} s, then {state}")
        before, found = self._version, await self._read()
        self._add("3", "activeManualHandoff", pointer_shape(found.document.get("activeManualHandoff")))
        self._add("4", "status while a handoff is active", found.text("status") or "none")
        self._raised("create", before, found)
        path = path_of(Operation.CREATE_HANDOFF, self._id)
        key = new_key() if self._keys["create"] else None
        again = await self._collate.post(path, self._body, version=self._version, key=key)
        is_same = again.is_ok and again.text("id") == self._handoff
        shown = "the existing handoff" if is_same else "a second handoff" if again.is_ok else str(again)
        self._add("5.1", "create while a handoff is active", shown, is_problem=again.is_ok and not is_same)
        self._require_same(again, "a create while a handoff is active")

    async def _grants(self) -> None:
        if self._handoff is None:
            return
        path, key = path_of(Operation.MINT_GRANT, self._id, self._handoff), new_key()
        first = await self._collate.post(path, None, key=key)
        if not first.is_ok:
            plain = await self._collate.post(path, None)
            self._keys["grant"] = not plain.is_ok
            self._add("5.3", "Idempotency-Key on a grant", f"refused ({first})" if plain.is_ok else "not the cause")
            first = plain
        expires_at = first.document.get("expiresAt")
        self._add("5.3", "grant", f"{first}{_lifetime(expires_at)}", is_problem=not first.is_ok)
        if first.is_ok and self._keys["grant"]:
            again = await self._collate.post(path, None, key=key)
            is_replay = again.is_ok and again.document.get("id") == first.document.get("id")
            self._add("5.3", "the same key on a grant", "replays it" if is_replay else "makes a new one")
            plain = await self._collate.post(path, None)
            self._add("5.3", "a grant without a key", "accepted" if plain.is_ok else str(plain))
        before = self._version
        found = await self._read()
        self._add("5.3", "a grant raises the authorization's version", yes(self._version != before))
        self._add("10b", "use of a grant, and older grants", "unknown: the probe opens no link")
        if not found.is_ok:
            self._add("1", "read of the authorization", str(found), is_problem=True)

    # Close

    async def _close(self) -> None:
        if self._handoff is None:
            return
        path = path_of(Operation.REVOKE, self._id, self._handoff)
        closed = await self._careless_close(path)
        handoff_version = (await self._read_handoff()).version
        if not closed.is_ok and handoff_version is not None and handoff_version != self._version:
            closed = await self._revoke(path, handoff_version)
            by = "handoff" if closed.is_ok else "authorization"
            self._add("2", "If-Match on a close", f"{by} version")
            if self._if_match is IfMatch.COMPARED:
                self._findings.choose("if_match_on_close", by)
        elif not closed.is_ok:
            self._add("2", "If-Match on a close", "not decided: both versions are equal")
        if not closed.is_ok:
            closed = await self._revoke(path, self._version)
        state = f"{closed}, {closed.text('state') or 'no state'}"
        self._add("5.6", "close", state, is_problem=not closed.is_ok)
        if not closed.is_ok:
            return
        has_authorization = isinstance(closed.document.get("authorization"), Mapping)
        self._add(
            "5.4", "a close's answer has the authorization", yes(has_authorization), is_problem=not has_authorization
        )
        before, found = self._version, await self._read()
        self._raised("close", before, found)
        self._add("4", "status after a close", found.text("status") or "none")
        self._add("5", "activeManualHandoff after a close", pointer_shape(found.document.get("activeManualHandoff")))

    async def _careless_close(self, path: str) -> Reply:
        """Close with a wrong If-Match, if no create has shown whether Collate compares it; then without If-Match."""
        if self._if_match is IfMatch.UNKNOWN:
            closed = await self._revoke(path, self._version + _WRONG)
            self._if_match = if_match_of(closed)
            shown = "accepted" if closed.is_ok else str(closed)
            self._add("2", "close with a wrong If-Match", shown, is_problem=closed.is_ok)
            if closed.is_ok:
                return closed
        closed = await self._collate.post(path, REASON, key=new_key() if self._keys["close"] else None)
        self._add("2", "close without If-Match", "accepted" if closed.is_ok else str(closed))
        return closed

    async def _after_close(self) -> None:
        if self._handoff is None:
            return
        began, reply = time.monotonic(), await self._read_handoff()
        first = reply.text("state")
        while reply.text("state") != "closed" and time.monotonic() - began < _STATE_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            reply = await self._read_handoff()
        self._add("5", "after a close", "closed" if first == "closed" else f"{first}, then {reply.text('state')}")
        self._add("5", "result after a revoke", reply.text("result") or "null")
        await self._read()
        key = new_key() if self._keys["close"] else None
        path = path_of(Operation.REVOKE, self._id, self._handoff)
        again = await self._collate.post(path, REASON, version=self._version, key=key)
        self._add("5.6", "a second, identical close", "the first result" if again.is_ok else str(again))
        grant = await self._collate.post(
            path_of(Operation.MINT_GRANT, self._id, self._handoff),
            None,
            key=new_key() if self._keys["grant"] else None,
        )
        self._add("5.3", "a grant of a closed handoff", str(grant), is_problem=grant.is_ok)

    def _conclude(self) -> None:
        if self._if_match is not IfMatch.UNKNOWN:
            honoured = self._if_match is IfMatch.COMPARED
            self._findings.choose("if_match_is_honoured", "true" if honoured else "false")
        keys = self._keys
        if all(keys.values()):
            self._findings.choose("send_idempotency_key", "all")
        else:
            self._findings.choose("send_idempotency_key", "create_only" if keys["create"] else "none")
        raises = all(self._raises.get(what) for what in ("create", "close"))
        self._findings.choose("handoffs_raise_version", "true" if raises else "false")


def _lifetime(expires_at: object) -> str:
    try:
        seconds = datetime.fromisoformat(str(expires_at)).timestamp() - time.time()
    except ValueError:
        return ""
    return f", valid for {seconds:.0f} s"
