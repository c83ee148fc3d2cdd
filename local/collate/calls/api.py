"""Collate's public calls (collate-api.md 1): from a request to an answer, through the world. No I/O.

credentials ─▶ visible to that organization? ─▶ a read answers; a write goes on in writes.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.collate.calls import public_call as asking
from local.collate.calls.public_call import Asked, refused
from local.collate.calls.writes import Writes
from local.collate.http import portal, wire
from local.collate.http.message import Reply, Request, json_reply
from local.collate.http.refusal import (
    AUTHORIZATION_NOT_FOUND,
    HANDOFF_NOT_FOUND,
    ROUTE_NOT_FOUND,
    UNAUTHORIZED,
    Refusal,
)

if TYPE_CHECKING:
    from local.collate.calls.keys import Keys
    from local.collate.ledger import Call
    from local.collate.model.authorization import Authorization
    from local.collate.model.state import World

    Outcome = Reply | Refusal

_ROOT = "prior-authorizations"


class Api:
    """Answers public requests."""

    def __init__(self, world: World, keys: Keys, organizations: dict[str, str]) -> None:
        self.world = world
        self.organizations = organizations
        self.writes = Writes(world, keys)

    def organization_of(self, request: Request) -> str | None:
        """Whose API key this is; None if nobody's (collate-api.md 1)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.organizations.get(token.strip()) if scheme.lower() == "bearer" else None

    def answer(self, request: Request, call: Call, now: float) -> Reply:
        """Answer one request, and note in `call` what became of it."""
        outcome = self._outcome(request, call, now)
        reply = refused(call, outcome) if isinstance(outcome, Refusal) else outcome
        call.answered = reply.status
        return reply

    def keep_injected(self, request: Request, call: Call, reply: Reply, now: float) -> None:
        """Store an injected error under a new key: where errors are stored, a retry gets the very same again."""
        profile = self.world.profile
        if call.key is None or call.organization is None or profile.keys_on == "create_authorization":
            return
        asked = asking.read(request, call, call.organization, now, profile)
        if isinstance(asked, Asked) and not self.writes.keys.knows(asked.scope, now, profile):
            self.writes.keys.keep(asked.scope, asked.print_, reply, now, profile)

    def _outcome(self, request: Request, call: Call, now: float) -> Outcome:
        match request.method, request.path.split("/")[1:]:
            case "GET", ["health"]:
                return json_reply(200, {"status": "ok"})
            case _, ["runtime", "access", grant_id, *rest]:
                return portal.answer(self.world, request, grant_id, rest, now)
            case _, ["v1", *route]:
                if call.organization is None:
                    return UNAUTHORIZED
                asked = asking.read(request, call, call.organization, now, self.world.profile)
                return asked if isinstance(asked, Refusal) else self._v1(request.method, route, asked)
        return ROUTE_NOT_FOUND

    def _v1(self, method: str, route: list[str], asked: Asked) -> Outcome:
        match method, route:
            case "POST", [root] if root == _ROOT:
                return self.writes.create_authorization(asked)
            case _, [root, authorization_id, *rest] if root == _ROOT:
                authorization = self.world.visible(authorization_id, asked.organization)
                if authorization is None:
                    return AUTHORIZATION_NOT_FOUND
                return self._on_authorization(method, rest, authorization, asked)
        return ROUTE_NOT_FOUND

    def _on_authorization(self, method: str, route: list[str], authorization: Authorization, asked: Asked) -> Outcome:
        match method, route:
            case "GET", []:
                seen = self.world.as_read(authorization, asked.now)
                return json_reply(200, wire.authorization_json(seen, self.world.profile))
            case "GET", ["live-session"]:
                return json_reply(200, wire.live_session_json(authorization, self.world.profile))
            case "POST", ["live-session", "access-grants"]:
                return self.writes.mint_live_session_grant(authorization, asked)
            case "POST", ["confirm"]:
                return self.writes.confirm(authorization, asked)
            case "POST", ["cancel"]:
                return self.writes.cancel(authorization, asked)
            case "POST", ["manual-handoffs"]:
                return self.writes.create_handoff(authorization, asked)
            case _, ["manual-handoffs", handoff_id, *rest]:
                return self._on_handoff(method, rest, authorization, handoff_id, asked)
        return ROUTE_NOT_FOUND

    def _on_handoff(
        self, method: str, route: list[str], authorization: Authorization, handoff_id: str, asked: Asked
    ) -> Outcome:
        if method == "GET" and not route:
            authorization = self.world.as_read(authorization, asked.now)
        handoff = authorization.handoff(handoff_id)
        if handoff is None:
            return HANDOFF_NOT_FOUND
        match method, route:
            case "GET", []:
                return json_reply(200, wire.handoff_json(authorization, handoff, self.world.profile))
            case "POST", ["access-grants"]:
                return self.writes.mint_grant(authorization, handoff, asked)
            case "POST", ["complete" | "unable-to-complete" | "revoke" as operation]:
                return self.writes.close_handoff(authorization, handoff, operation, asked)
        return ROUTE_NOT_FOUND
