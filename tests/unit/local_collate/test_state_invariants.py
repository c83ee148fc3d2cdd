"""Invariants of the simulated Collate, for any actions of clients, others, the human, the payer and time."""

import json
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.collate import DEFAULT_KEY, named
from local.collate.model.actors import ACTIONS
from local.collate.model.authorization import HandoffState, Status, Truth
from local.collate.model.effect import Kind
from local.collate.simulation import Options, Simulation
from local.collate.web.message import Request
from local.collate.web.portal import WORK

ROOT = "/v1/prior-authorizations"
READINGS = {
    "keys_on": st.sampled_from(["all", "create_authorization"]),
    "keys_keep": st.sampled_from(["success", "everything"]),
    "key_retention_seconds": st.sampled_from([0.0, 10.0, 86_400.0]),
    "key_covers_if_match": st.booleans(),
    "checks_if_match": st.booleans(),
    "if_match_on_close": st.sampled_from(["authorization", "handoff"]),
    "check_order": st.sampled_from(["key_first", "if_match_first", "active_first"]),
    "create_while_active": st.sampled_from(["existing", "conflict", "replace"]),
    "create_bumps_version": st.booleans(),
    "status_while_active": st.sampled_from(["requires_action", "processing"]),
    "repeated_close": st.sampled_from(["conflict", "first_result"]),
    "offered_seconds": st.sampled_from([0.0, 5.0]),
    "closing_seconds": st.sampled_from([0.0, 2.0]),
    "reconcile_seconds": st.sampled_from([0.0, 3.0, None]),
    "decision_seconds": st.sampled_from([None, 20.0]),
    "abandonment_seconds": st.sampled_from([None, 60.0]),
    "stale_probability": st.sampled_from([0.0, 0.5]),
    "stale_seconds": st.just(5.0),
}
CLOSES = {
    "complete": {"reportedOutcome": "submitted"},
    "unable-to-complete": {"reason": "other"},
    "revoke": {"reason": "other"},
}
ONCE_PER_KEY = (Kind.HANDOFF_OPENED, Kind.HANDOFF_CLOSING, Kind.GRANT_MINTED)
KEYS = st.sampled_from(["k1", "k2", "k3", "k4"])


class FakeExchange:
    """An exchange that keeps its reply. Its delays take no time."""

    on_end = None

    def __init__(self):
        self.status = self.body = None

    def later(self, _seconds, then):
        then()

    def reply(self, answer):
        self.status, self.body = answer.status, answer.body
        self.on_end("answered")


class Machine(RuleBasedStateMachine):
    """One or two authorizations; clients that follow the contract and clients that do not."""

    @initialize(
        readings=st.fixed_dictionaries({}, optional=READINGS),
        review_backed=st.booleans(),
        state=st.sampled_from(["complete_payer_interaction", "approve_submission", "processing"]),
    )
    def start(self, readings, review_backed, state):
        self.simulation = Simulation(Options(profile=named(["v2"], readings), seed=1))
        self.simulation.clock.freeze()
        self.ids = self.simulation.create(state, count=2, review_backed=review_backed, finds_after_seconds=1.0)
        self.seen = {}
        self.grants = []

    def send(self, method, path, body=None, **headers):
        exchange = FakeExchange()
        named_headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        named_headers["authorization"] = f"Bearer {DEFAULT_KEY}"
        content = b"" if body is None else json.dumps(body).encode()
        self.simulation.handle(Request(method, path, named_headers, content), exchange)
        return exchange.status, json.loads(exchange.body) if exchange.body[:1] == b"{" else None

    def pick(self, which):
        return self.simulation.state.authorizations[self.ids[which]]

    @rule(which=st.integers(0, 1), key=KEYS, behind=st.integers(0, 1), accepts=st.booleans())
    def open_handoff(self, which, key, behind, accepts):
        one = self.pick(which)
        covered = one.covered_snapshot
        body = {"acceptedReviewSnapshotId": covered.id} if covered and accepts else {}
        tag = f'"{one.version - behind}"'
        status, answer = self.send("POST", f"{ROOT}/{one.id}/manual-handoffs", body, idempotency_key=key, if_match=tag)
        if status < 300:
            assert self.pick(which).handoff(answer["id"]) is not None

    @precondition(lambda self: any(one.handoffs for one in self.simulation.state.authorizations.values()))
    @rule(which=st.integers(0, 1), key=KEYS, operation=st.sampled_from(list(CLOSES)), last=st.booleans())
    def close_handoff(self, which, key, operation, last):
        one = self.pick(which)
        if one.handoffs:
            handoff = one.handoffs[-1 if last else 0]
            by_handoff = self.simulation.state.profile.if_match_on_close == "handoff"
            path = f"{ROOT}/{one.id}/manual-handoffs/{handoff.id}/{operation}"
            tag = f'"{handoff.version if by_handoff else one.version}"'
            self.send("POST", path, CLOSES[operation], idempotency_key=key, if_match=tag)

    @rule(which=st.integers(0, 1), key=KEYS)
    def mint(self, which, key):
        one = self.pick(which)
        if one.handoffs:
            path = f"{ROOT}/{one.id}/manual-handoffs/{one.handoffs[-1].id}/access-grants"
            status, answer = self.send("POST", path, idempotency_key=key)
            if status < 300:
                self.grants.append(answer["id"])

    @rule(did=st.sampled_from(list(WORK)))
    def work(self, did):
        for grant in self.grants[-2:]:
            self.send("GET", f"/runtime/access/{grant}", accept="application/json")
            self.send("POST", f"/runtime/access/{grant}", {"did": did}, content_type="application/json")

    @rule(which=st.integers(0, 1), do=st.sampled_from(ACTIONS), truth=st.sampled_from(list(Truth)), flag=st.booleans())
    def act(self, which, do, truth, flag):
        doing = {"reportedOutcome": "submitted", "reason": "other", "available": flag, "freshSnapshot": flag}
        if do not in {"cancel", "overlay"} or (do == "cancel" and len(self.simulation.ledger.calls) % 7 == 0):
            self.simulation.act(self.ids[which], do, **doing, truth=truth.value)

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 30.0, 400.0]))
    def advance(self, seconds):
        self.simulation.advance(seconds)

    @rule(which=st.integers(0, 1))
    def read(self, which):
        status, answer = self.send("GET", f"{ROOT}/{self.ids[which]}")
        assert status == 200
        assert answer["version"] <= self.pick(which).version
        assert (answer["nextAction"] is not None) == (answer["status"] == "requires_action")

    @invariant()
    def at_most_one_handoff_is_not_closed_and_it_is_the_last(self):
        for one in self.simulation.state.authorizations.values():
            is_open = [handoff.state is not HandoffState.CLOSED for handoff in one.handoffs]
            assert sum(is_open) <= 1
            assert not any(is_open[:-1])

    @invariant()
    def versions_never_fall_and_ends_are_final(self):
        for one in self.simulation.state.authorizations.values():
            before = self.seen.get(one.id, one)
            assert one.version >= before.version
            assert one.receipt or not before.receipt
            assert one.decision or not before.decision
            if before.is_terminal:
                assert (one.status, one.outcome, one.version) == (before.status, before.outcome, before.version)
            if one.version == before.version:
                assert (one.status, one.action) == (before.status, before.action)
            for old, new in zip(before.handoffs, one.handoffs, strict=False):
                assert old.id == new.id
                assert new.version > old.version or (new.state, new.result) == (old.state, old.result)
                assert old.state is not HandoffState.CLOSED or new == old
            self.seen[one.id] = one

    @invariant()
    def exactly_the_closed_handoffs_have_a_result(self):
        for one in self.simulation.state.authorizations.values():
            for handoff in one.handoffs:
                assert (handoff.result is not None) == (handoff.state is HandoffState.CLOSED)
                assert not handoff.access_available or handoff.state is HandoffState.ACTIVE

    @invariant()
    def status_outcome_and_action_agree(self):
        for one in self.simulation.state.authorizations.values():
            assert (one.action is not None) == (one.status is Status.REQUIRES_ACTION)
            assert (one.outcome is not None) == (one.status is Status.COMPLETED)
            assert one.status is not Status.WAITING_ON_PAYER or one.receipt is not None

    @invariant()
    def nothing_is_overdue(self):
        now = self.simulation.now()
        for one in self.simulation.state.authorizations.values():
            assert one.due_at is None or one.due_at > now

    @invariant()
    def the_ledger_has_the_effects_of_every_handoff(self):
        stories = {}
        for _, effect in self.simulation.ledger.effects:
            if effect.kind in {Kind.HANDOFF_OPENED, Kind.HANDOFF_CLOSING, Kind.HANDOFF_CLOSED}:
                stories.setdefault(effect.handoff_id, []).append(effect.kind)
        handoffs = [handoff for one in self.simulation.state.authorizations.values() for handoff in one.handoffs]
        assert set(stories) == {handoff.id for handoff in handoffs}
        for handoff in handoffs:
            closing = [Kind.HANDOFF_CLOSING] * (Kind.HANDOFF_CLOSING in stories[handoff.id])
            closed = [Kind.HANDOFF_CLOSED] * (handoff.state is HandoffState.CLOSED)
            assert stories[handoff.id] == [Kind.HANDOFF_OPENED, *closing, *closed]

    @invariant()
    def one_key_has_one_effect_while_it_is_stored(self):
        profile = self.simulation.state.profile
        if profile.keys_on != "all" or profile.key_retention_seconds < 86_400 or profile.check_order == "active_first":
            return
        paths = {call.number: call.path for call in self.simulation.ledger.calls}
        counted = Counter(
            (paths[effect.cause.request], effect.cause.key)
            for _, effect in self.simulation.ledger.effects
            if effect.cause.by == "client" and effect.kind in ONCE_PER_KEY
        )
        assert all(count == 1 for count in counted.values())


Machine.TestCase.settings = settings(stateful_step_count=30, deadline=None)
TestState = Machine.TestCase
