"""The writes: checks in the profile's order, then the effect (docs/collate-contract.md §2, §5, §10b).

A step returns a reply, a refusal, or None to continue. The outcome after the key step is stored under the key.
"""

from collections.abc import Callable, Iterable, Sequence

from local.collate.calls.keys import Keys
from local.collate.calls.public_call import PublicCall, error_reply
from local.collate.model import rules
from local.collate.model.authorization import Authorization, Handoff, HandoffState
from local.collate.model.state import CollateState
from local.collate.web import wire
from local.collate.web.message import Reply, json_reply
from local.collate.web.refusal import HANDOFF_ACTIVE, Refusal, header_missing

Outcome = Reply | Refusal
Step = Callable[[], Outcome | None]


class Writes:
    """The POSTs of the gateway under /v1."""

    def __init__(self, state: CollateState, keys: Keys) -> None:
        self.state = state
        self.keys = keys
        self.base_url = ""

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
            if (refusal := rules.handoff_refused(authorization, call.body)) is not None:
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

    def _key(self, call: PublicCall) -> Step | None:
        """Return the key step, or None if the profile ignores keys for this call."""
        profile = self.state.profile
        if profile.keys_on == "create_authorization":
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
