"""The calls that change something: checks in the order of the profile, then the effect (collate-api.md 2, 5, 10b).

A step answers, refuses, or says nothing, which passes the call on. What comes out after the key step is remembered
under the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.collate.calls.public_call import Asked, refused
from local.collate.http import wire
from local.collate.http.message import Reply, json_reply
from local.collate.http.refusal import HANDOFF_ACTIVE, Refusal, header_missing, live_session_not_available
from local.collate.model import rules
from local.collate.model.authorization import Authorization, Handoff, HandoffState, Status
from local.collate.model.creation import from_create_body
from local.collate.model.effect import Effect, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from local.collate.calls.keys import Keys
    from local.collate.model.state import World

    Outcome = Reply | Refusal
    Step = Callable[[], Outcome | None]


class Writes:
    """Every POST under /v1."""

    def __init__(self, world: World, keys: Keys) -> None:
        self.world = world
        self.keys = keys
        self.base_url = ""

    def create_authorization(self, asked: Asked) -> Outcome:
        """POST /v1/prior-authorizations: every generation needs the key here (collate-api.md 2)."""

        def create() -> Outcome:
            made = from_create_body(asked.body, self.world.new_id("auth"), asked.organization, asked.now)
            if isinstance(made, Refusal):
                return made
            return json_reply(201, wire.authorization_json(self.world.add(made, asked.cause), self.world.profile))

        return self._run(asked, self._key(asked, always=True), (), create)

    def create_handoff(self, authorization: Authorization, asked: Asked) -> Outcome:
        """POST …/manual-handoffs (collate-api.md 5.1)."""
        profile = self.world.profile

        def active() -> Outcome | None:
            handoff = authorization.open_handoff
            if handoff is None or handoff.state is HandoffState.CLOSING or profile.create_while_active == "replace":
                return None
            if profile.create_while_active == "conflict":
                return HANDOFF_ACTIVE
            return json_reply(profile.created_status, wire.handoff_json(authorization, handoff, profile))

        def create() -> Outcome:
            if (refusal := rules.handoff_refused(authorization, asked.body, profile)) is not None:
                return refusal
            opened = self.world.open_handoff(authorization, asked.cause, asked.now)
            return json_reply(profile.created_status, wire.handoff_json(opened, opened.handoffs[-1], profile))

        key, if_match = self._key(asked), self._if_match(asked, authorization.version)
        match profile.check_order:
            case "if_match_first":
                return self._run(asked, key, (active,), create, before_key=(if_match,))
            case "active_first":
                return self._run(asked, key, (if_match,), create, before_key=(active,))
            case _:
                return self._run(asked, key, (if_match, active), create)

    def close_handoff(self, authorization: Authorization, handoff: Handoff, operation: str, asked: Asked) -> Outcome:
        """POST …/complete, …/unable-to-complete, …/revoke (collate-api.md 5.4 to 5.6)."""
        profile = self.world.profile

        def repeated() -> Outcome | None:
            first = handoff.report
            is_same = first is not None and (first.result, first.body) == (rules.CLOSES[operation], asked.canonical)
            if profile.repeated_close == "conflict" or not is_same:
                return None
            return json_reply(200, wire.close_json(authorization, handoff, profile))

        def close() -> Outcome:
            report = rules.report_from(operation, asked.body, asked.canonical)
            if isinstance(report, Refusal):
                return report
            if (refusal := rules.close_refused(handoff)) is not None:
                return refusal
            closed = self.world.close_handoff(authorization, handoff, report, asked.cause, asked.now)
            return json_reply(200, wire.close_json(closed, closed.handoffs[-1], profile))

        by_handoff = profile.if_match_on_close == "handoff"
        if_match = self._if_match(asked, handoff.version if by_handoff else authorization.version)
        if profile.check_order == "if_match_first":
            return self._run(asked, self._key(asked), (repeated,), close, before_key=(if_match,))
        return self._run(asked, self._key(asked), (repeated, if_match), close)

    def mint_grant(self, authorization: Authorization, handoff: Handoff, asked: Asked) -> Outcome:
        """POST …/access-grants: no If-Match, no body (collate-api.md 5.3)."""

        def mint() -> Outcome:
            grant = self.world.mint(authorization, handoff, asked.cause, asked.now)
            if isinstance(grant, Refusal):
                return grant
            url = f"{self.base_url}/runtime/access/{grant.id}"
            return json_reply(self.world.profile.created_status, wire.grant_json(grant, url, self.world.profile))

        return self._run(asked, self._key(asked), (), mint)

    def mint_live_session_grant(self, authorization: Authorization, asked: Asked) -> Outcome:
        """POST …/live-session/access-grants: read-only, and nothing that the gateway may call (collate-api.md 6)."""

        def mint() -> Outcome:
            if authorization.open_handoff is None and authorization.status is not Status.PROCESSING:
                return live_session_not_available("no_active_channel_session")
            self.world.record(
                Effect(Kind.LIVE_SESSION_GRANT_MINTED, asked.now, authorization.id, authorization.version, asked.cause)
            )
            return json_reply(
                self.world.profile.created_status,
                wire.live_session_grant_json(
                    self.world.new_id("lsg"), self.base_url, asked.now + self.world.profile.grant_seconds
                ),
            )

        return self._run(asked, self._key(asked), (), mint)

    def confirm(self, authorization: Authorization, asked: Asked) -> Outcome:
        """POST …/confirm (collate-api.md 3, other write endpoints)."""

        def confirm() -> Outcome:
            if (refusal := rules.confirm_refused(authorization, asked.body, self.world.profile)) is not None:
                return refusal
            confirmed = self.world.confirm(authorization, asked.cause, asked.now)
            return json_reply(200, wire.authorization_json(confirmed, self.world.profile))

        key, if_match = self._key(asked, optional=True), self._if_match(asked, authorization.version)
        return self._run(asked, key, (if_match,), confirm)

    def cancel(self, authorization: Authorization, asked: Asked) -> Outcome:
        """POST …/cancel (collate-api.md 3): an active handoff ends with it."""

        def cancel() -> Outcome:
            if (refusal := rules.ended(authorization)) is not None:
                return refusal
            canceled = self.world.cancel(authorization, asked.cause, asked.now)
            return json_reply(200, wire.authorization_json(canceled, self.world.profile))

        key, if_match = self._key(asked, optional=True), self._if_match(asked, authorization.version)
        return self._run(asked, key, (if_match,), cancel)

    def _key(self, asked: Asked, *, always: bool = False, optional: bool = False) -> Step | None:
        """The key's step; None where this profile takes no key."""
        profile = self.world.profile
        if not always and profile.keys_on == "create_authorization":
            return None
        if optional and asked.call.key is None:
            return None

        def recall() -> Outcome | None:
            if asked.call.key is None:
                return header_missing("Idempotency-Key", profile.missing_header_status)
            known = self.keys.recall(asked.scope, asked.print_, asked.call.number, asked.now, profile)
            asked.call.is_replay = isinstance(known, Reply)
            return known

        return recall

    def _if_match(self, asked: Asked, actual: int) -> Step:
        return lambda: rules.precondition(asked.call.if_match, actual, self.world.profile)

    def _run(
        self,
        asked: Asked,
        key: Step | None,
        checks: Sequence[Step],
        effect: Callable[[], Outcome],
        before_key: Sequence[Step] = (),
    ) -> Outcome:
        if (early := _first((*before_key, *(() if key is None else (key,))))) is not None:
            return early
        outcome = _first(checks)
        if outcome is None:
            outcome = effect()
        if key is None:
            return outcome
        reply = refused(asked.call, outcome) if isinstance(outcome, Refusal) else outcome
        self.keys.keep(asked.scope, asked.print_, reply, asked.now, self.world.profile)
        return reply


def _first(steps: Iterable[Step]) -> Outcome | None:
    for step in steps:
        if (found := step()) is not None:
            return found
    return None
