"""Claims of open handoffs: the order of the records decides who has a handoff in hand."""

from consumers.authorization.event_writer import public_record
from consumers.authorization.facts import CreateAnswered, CreateInferred, GrantRecorded, Observed, ReleaseRecorded
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, AuthorizationState, CommandRef
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff

JO, SAM, SERVICE = "people:jo.miller", "people:sam.lee", "intake"
HANDOFF = ManualHandoff(id="mhand_1", version=1, state="active", access_available=True)
SHOWN = ("handoff.claimed", "handoff.released", "handoff.opened")


def grant(caller, *, take_over=False):
    return GrantRecorded("mhand_1", caller.rpartition(":")[2], caller, 500.0, f"by-{caller}", take_over=take_over)


def release(caller):
    return ReleaseRecorded("mhand_1", caller, f"by-{caller}")


def seen(state="active"):
    authorization = PriorAuthorization(
        id="auth_1", version=2, status="requires_action", active_manual_handoff={"id": "mhand_1"}
    )
    return Observed(authorization, (HANDOFF.model_copy(update={"state": state}),))


def created(caller):
    return CreateAnswered(HANDOFF, 1, CommandRef(command_id="c-1", caller=caller, requested_by="somebody"))


def inferred(caller):
    return CreateInferred("mhand_1", created(caller).caused_by)


def after(*facts, state=NEW):
    """Return the state, and the events about claims: (event, who, from whom, cause)."""
    events = []
    for number, fact in enumerate(facts):
        state, found = reduce(state, fact, 100.0 + number)
        events += found
    shown = []
    for one in events:
        name = one.event.TYPE.removeprefix("collate-gateway.").removesuffix(".v1")
        if name in SHOWN:
            shown.append((name, one.event.caller, getattr(one.event, "taken_over_from", None), one.cause))
    return state, shown


def holder(state):
    record = public_record(state, 1_000.0)
    active = None if record is None else record.active_handoff
    return None if active is None or active.claim is None else (active.claim.by, active.claim.caller)


def test_a_person_who_opens_a_handoff_has_claimed_it_and_a_service_has_not():
    state, shown = after(created(JO))
    assert state.active.claim.caller == JO
    assert shown == [("handoff.opened", JO, None, "c-1"), ("handoff.claimed", JO, None, "c-1")]
    assert holder(after(seen(), state=state)[0]) == ("jo.miller", JO)
    state, shown = after(created(SERVICE))
    assert (state.active.claim, shown) == (None, [("handoff.opened", SERVICE, None, "c-1")])


def test_an_inferred_opening_claims_nothing_because_it_may_be_another_actor_s():
    state, _ = after(seen(), inferred(JO))
    assert (state.active.opener.caller, state.active.claim) == (JO, None)


def test_an_opener_who_is_known_after_the_handoff_was_seen_claims_it_once():
    state, shown = after(seen(), created(JO))
    assert shown[1:] == [("handoff.claimed", JO, None, "c-1")]
    state, shown = after(release(JO), seen(), state=state)
    assert (state.active.claim, shown) == (None, [("handoff.released", JO, None, f"by-{JO}")])


def test_the_first_person_who_gets_in_claims_a_handoff_of_a_service():
    state, shown = after(seen(), created(SERVICE), grant(SERVICE), grant(JO), grant(JO))
    assert holder(state) == ("jo.miller", JO)
    assert shown[1:] == [("handoff.claimed", JO, None, f"by-{JO}")]
    assert state.active.claim.since == 103.0, "a second link does not move it"


def test_of_two_at_once_the_first_on_the_topic_has_it_and_the_second_takes_it_over_only_on_request():
    state, shown = after(seen(), grant(JO), grant(SAM))
    assert (state.active.claim.caller, len(shown)) == (JO, 2)
    state, shown = after(grant(SAM, take_over=True), grant(JO), state=state)
    assert (state.active.claim.caller, shown) == (SAM, [("handoff.claimed", SAM, JO, f"by-{SAM}")])
    assert after(grant(SAM, take_over=True), state=state)[1] == [], "nobody takes over from themselves"


def test_only_who_has_it_gives_it_back():
    state, _ = after(seen(), grant(JO))
    assert after(release(SAM), release(SERVICE), state=state) == (state, [])
    state, shown = after(release(JO), release(JO), state=state)
    assert (holder(state), shown) == (None, [("handoff.released", JO, None, f"by-{JO}")])
    assert after(grant(SAM), state=state)[0].active.claim.caller == SAM


def test_a_claim_before_the_worker_has_seen_the_handoff_is_published_with_its_opening():
    state, shown = after(grant(JO), grant(SAM))
    assert shown == []
    assert state.early_grant.claim.caller == JO
    assert after(seen(), state=state)[1] == [("handoff.opened", None, None, None), ("handoff.claimed", JO, None, None)]
    released, _ = after(release(SAM), release(JO), state=state)
    assert after(seen(), state=released)[1] == [("handoff.opened", None, None, None)]


def test_a_claim_ends_with_its_handoff():
    state, _ = after(seen(), grant(JO), seen("closed"))
    assert (state.active, holder(state)) == (None, None)


def test_a_claim_is_stored_and_a_state_without_claims_is_readable():
    state, _ = after(seen(), grant(JO))
    assert AuthorizationState.decode(state.encode()).active.claim == state.active.claim
    old = state.replace(active=state.active.replace(claim=None)).encode()
    assert b"claim" not in old
    assert AuthorizationState.decode(old).active.claim is None
