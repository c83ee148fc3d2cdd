"""The writes: checks in the profile's order, then the effect (docs/collate-contract.md §2, §5, §10b).

A step returns a reply, a refusal, or None to continue. The outcome after the key step is stored under the key.
"""

from collections.abc import Callable, Iterable, Sequence

from local.collate.calls.keys import Keys
from local.collate.calls.public_call import PublicCall, error_reply
from local.collate.model import rules
from local.collate.model.authorization import Authorization, Handoff, HandoffState, Status
from local.collate.model.creation import from_create_body
from local.collate.model.effect import Effect, Kind
from local.collate.model.state import CollateState
from local.collate.web import wire
from local.collate.web.message import Reply, json_reply
from local.collate.web.refusal import HANDOFF_ACTIVE, Refusal, header_missing, live_session_not_available

Outcome = Reply | Refusal
Step = Callable[[], Outcome | None]


class Writes:
    """Every POST under /v1."""

    def __init__(self, state: CollateState, keys: Keys) -> None:
        self.state = state
        self.keys = keys
        self.base_url = ""

    def create_authorization(self, call: PublicCall) -> Outcome:
        """POST /v1/prior-authorizations: all generations require the key (docs/collate-contract.md §2)."""

        def create() -> Outcome:
            created = from_create_body(call.body, self.state.new_id("auth"), call.organization, call.now)
            if isinstance(created, Refusal):
                return created
            return json_reply(201, wire.authorization_json(self.state.add(created, call.cause), self.state.profile))

        return self._run(call, self._key(call, always=True), (), create)

    def create_handoff(self, authorization: Authorization, call: PublicCall) -> Outcome:
        """POST …/manual-handoffs (docs/collate-contract.md §5.1)."""
        profile = self.state.profile

        def active() -> Outcome | None:
            handoff = authorization.open_handoff
            if handoff is None or handoff.state is HandoffState.CLOSING or profile.create_while_active == "replace":
                return None
            if profile.create_while_active == "conflict":
                return HANDOFF_ACTIVE
            return json_reply(profile.created_status, wire.handoff_json(authorization, handoff, profile))

        def create() -> Outcome:
            if (refusal := rules.handoff_refused(authorization, call.body, profile)) is not None:
                return refusal
            opened = self.state.open_handoff(authorization, call.cause, call.now)
            return json_reply(profile.created_status, wire.handoff_json(opened, opened.handoffs[-1], profile))

        key, if_match = self._key(call), self._if_match(call, authorization.version)
        match profile.check_order:
            case "if_match_first":
                return self._run(call, key, (active,), create, before_key=(if_match,))
            case "active_first":
                return self._run(call, key, (if_match,), create, before_key=(active,))
            case _:
                return self._run(call, key, (if_match, active), create)

    def close_handoff(
        self, authorization: Authorization, handoff: Handoff, operation: str, call: PublicCall
    ) -> Outcome:
        """POST …/complete, …/unable-to-complete, …/revoke (docs/collate-contract.md §5.4 to §5.6)."""
        profile = self.state.profile

        def repeated() -> Outcome | None:
            first = handoff.report
            is_same = first is not None and (first.result, first.body) == (rules.CLOSES[operation], call.canonical)
            if profile.repeated_close == "conflict" or not is_same:
                return None
            return json_reply(200, wire.close_json(authorization, handoff, profile))

        def close() -> Outcome:
            report = rules.report_from(operation, call.body, call.canonical)
            if isinstance(report, Refusal):
                return report
            if (refusal := rules.close_refused(handoff, profile)) is not None:
                return refusal
            closed = self.state.close_handoff(authorization, handoff, report, call.cause, call.now)
            return json_reply(200, wire.close_json(closed, closed.handoffs[-1], profile))

        by_handoff = profile.if_match_on_close == "handoff"
        if_match = self._if_match(call, handoff.version if by_handoff else authorization.version)
        if profile.check_order == "if_match_first":
            return self._run(call, self._key(call), (repeated,), close, before_key=(if_match,))
        return self._run(call, self._key(call), (repeated, if_match), close)

    def mint_grant(self, authorization: Authorization, handoff: Handoff, call: PublicCall) -> Outcome:
        """POST …/access-grants: no If-Match, no body (docs/collate-contract.md §5.3)."""

        def mint() -> Outcome:
            grant = self.state.mint(authorization, handoff, call.cause, call.now)
            if isinstance(grant, Refusal):
                return grant
            url = f"{self.base_url}/runtime/access/{grant.id}"
            return json_reply(self.state.profile.created_status, wire.grant_json(grant, url, self.state.profile))

        return self._run(call, self._key(call), (), mint)

    def mint_live_session_grant(self, authorization: Authorization, call: PublicCall) -> Outcome:
        """POST …/live-session/access-grants: read-only, never for the gateway (docs/collate-contract.md §6)."""

        def mint() -> Outcome:
            if authorization.open_handoff is None and authorization.status is not Status.PROCESSING:
                return live_session_not_available("no_active_channel_session")
            self.state.record(
                Effect(Kind.LIVE_SESSION_GRANT_MINTED, call.now, authorization.id, authorization.version, call.cause)
            )
            return json_reply(
                self.state.profile.created_status,
                wire.live_session_grant_json(
                    self.state.new_id("lsg"), self.base_url, call.now + self.state.profile.grant_seconds
                ),
            )

        return self._run(call, self._key(call), (), mint)

    def confirm(self, authorization: Authorization, call: PublicCall) -> Outcome:
        """POST …/confirm (docs/collate-contract.md §3, other write endpoints)."""

        def confirm() -> Outcome:
            if (refusal := rules.confirm_refused(authorization, call.body, self.state.profile)) is not None:
                return refusal
            confirmed = self.state.confirm(authorization, call.cause, call.now)
            return json_reply(200, wire.authorization_json(confirmed, self.state.profile))

        key, if_match = self._key(call, optional=True), self._if_match(call, authorization.version)
        return self._run(call, key, (if_match,), confirm)

    def cancel(self, authorization: Authorization, call: PublicCall) -> Outcome:
        """POST …/cancel (docs/collate-contract.md §3): it ends an active handoff too."""

        def cancel() -> Outcome:
            if (refusal := rules.ended(authorization)) is not None:
                return refusal
            canceled = self.state.cancel(authorization, call.cause, call.now)
            return json_reply(200, wire.authorization_json(canceled, self.state.profile))

        key, if_match = self._key(call, optional=True), self._if_match(call, authorization.version)
        return self._run(call, key, (if_match,), cancel)

    def _key(self, call: PublicCall, *, always: bool = False, optional: bool = False) -> Step | None:
        """Return the key step, or None if the profile ignores keys for this call."""
        profile = self.state.profile
        if not always and profile.keys_on == "create_authorization":
            return None
        if optional and call.entry.key is None:
            return None

        def recall() -> Outcome | None:
            if call.entry.key is None:
                return header_missing("Idempotency-Key", profile.missing_header_status)
            known = self.keys.recall(call.scope, call.fingerprint, call.entry.number, call.now, profile)
            call.entry.is_replay = isinstance(known, Reply)
            return known

        return recall

    def _if_match(self, call: PublicCall, actual: int) -> Step:
        return lambda: rules.precondition(call.entry.if_match, actual, self.state.profile)

    def _run(
        self,
        call: PublicCall,
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
        reply = error_reply(call.entry, outcome) if isinstance(outcome, Refusal) else outcome
        self.keys.keep(call.scope, call.fingerprint, reply, call.now, self.state.profile)
        return reply


def _first(steps: Iterable[Step]) -> Outcome | None:
    for step in steps:
        if (found := step()) is not None:
            return found
    return None
