"""Collate's public calls (docs/collate-contract.md §1): from a request to a reply. No I/O.

credentials ─▶ visible to that organization? ─▶ a read here, a write in writes.py
"""

from local.collate.calls.keys import Keys
from local.collate.calls.public_call import PublicCall, error_reply, read_call
from local.collate.calls.writes import Writes
from local.collate.ledger import Call
from local.collate.model import rules
from local.collate.model.authorization import Authorization
from local.collate.model.state import CollateState
from local.collate.web import portal, wire
from local.collate.web.message import Reply, Request, json_reply
from local.collate.web.refusal import (
    AUTHORIZATION_NOT_FOUND,
    HANDOFF_NOT_FOUND,
    ROUTE_NOT_FOUND,
    UNAUTHORIZED,
    Refusal,
)

Outcome = Reply | Refusal


_ROOT = "prior-authorizations"


class Api:
    """Handles public requests."""

    def __init__(self, state: CollateState, keys: Keys, organizations: dict[str, str]) -> None:
        self.state = state
        self.organizations = organizations
        self.writes = Writes(state, keys)

    def organization_of(self, request: Request) -> str | None:
        """Return the organization of the API key, or None (docs/collate-contract.md §1)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.organizations.get(token.strip()) if scheme.lower() == "bearer" else None

    def answer(self, request: Request, call: Call, now: float) -> Reply:
        """Return the reply to a request, and record the outcome in `call`."""
        outcome = self._outcome(request, call, now)
        reply = error_reply(call, outcome) if isinstance(outcome, Refusal) else outcome
        call.answered = reply.status
        return reply

    def keep_injected(self, request: Request, call: Call, reply: Reply, now: float) -> None:
        """Store an injected error under a new key, so that a retry gets the same error if the profile stores errors."""
        profile = self.state.profile
        if call.key is None or call.organization is None or profile.keys_on == "create_authorization":
            return
        public = read_call(request, call, call.organization, now, profile)
        if isinstance(public, PublicCall) and not self.writes.keys.knows(public.scope, now, profile):
            self.writes.keys.keep(public.scope, public.fingerprint, reply, now, profile)

    def _outcome(self, request: Request, call: Call, now: float) -> Outcome:
        match request.method, request.path.split("/")[1:]:
            case "GET", ["health"]:
                return json_reply(200, {"status": "ok"})
            case _, ["runtime", "access", grant_id, *rest]:
                return portal.answer(self.state, request, grant_id, rest, now)
            case _, ["v1", *route]:
                if call.organization is None:
                    return UNAUTHORIZED
                public = read_call(request, call, call.organization, now, self.state.profile)
                return public if isinstance(public, Refusal) else self._v1(request.method, route, public)
        return ROUTE_NOT_FOUND

    def _v1(self, method: str, route: list[str], public: PublicCall) -> Outcome:
        match method, route:
            case _, [root, authorization_id, *rest] if root == _ROOT:
                authorization = self.state.visible(authorization_id, public.organization)
                if authorization is None:
                    return AUTHORIZATION_NOT_FOUND
                refusal = rules.key_refused(public.entry.key, self.state.profile)
                return refusal or self._on_authorization(method, rest, authorization, public)
        return ROUTE_NOT_FOUND

    def _on_authorization(
        self, method: str, route: list[str], authorization: Authorization, public: PublicCall
    ) -> Outcome:
        match method, route:
            case "GET", []:
                seen = self.state.as_read(authorization, public.now)
                return json_reply(200, wire.authorization_json(seen, self.state.profile))
            case "POST", ["manual-handoffs"]:
                return self.writes.create_handoff(authorization, public)
            case _, ["manual-handoffs", handoff_id, *rest]:
                return self._on_handoff(method, rest, authorization, handoff_id, public)
        return ROUTE_NOT_FOUND

    def _on_handoff(
        self, method: str, route: list[str], authorization: Authorization, handoff_id: str, public: PublicCall
    ) -> Outcome:
        if method == "GET" and not route:
            authorization = self.state.as_read(authorization, public.now)
        handoff = authorization.handoff(handoff_id)
        if handoff is None:
            return HANDOFF_NOT_FOUND
        match method, route:
            case "GET", []:
                return json_reply(200, wire.handoff_json(authorization, handoff, self.state.profile))
            case "POST", ["access-grants"]:
                return self.writes.mint_grant(authorization, handoff, public)
            case "POST", [operation] if operation in rules.CLOSES:
                return self.writes.close_handoff(authorization, handoff, operation, public)
        return ROUTE_NOT_FOUND
