"""What a read and an end do to a stored handoff: an older read changes nothing, and each end has its actor."""

from datetime import UTC, datetime

import pytest

from consumers.authorization.facts import Observed
from consumers.authorization.handoffs import first_seen, is_current, open_since, updated
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, Closer, CommandRef, Handoff
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff

NOW = 1_800_000_000.0
STATES = ["offered", "active", "closing", "closed"]
OUR_CLOSE = CommandRef(command_id="c", metadata={"ticket": "7"})
CLOSERS = {
    "complete": Closer(caused_by=OUR_CLOSE, operation="complete", reported="submitted"),
    "unable-to-complete": Closer(
        caused_by=OUR_CLOSE, operation="unable-to-complete", reported="unable_to_complete", reason="mfa_unavailable"
    ),
    "revoke": Closer(caused_by=OUR_CLOSE, operation="revoke", reason="operator_canceled"),
}
RESULTS = {"complete": "completed_reported", "unable-to-complete": "unable_to_complete", "revoke": "revoked"}
PASSIVE = {"expired": "expiry", "interaction_lost_unrecoverable": "loss", "canceled": "cancellation"}


def after_read(stored, handoff, version=9, pointer=None):
    """Reduce a read of the authorization and this handoff; return the state and the events."""
    wire = {"id": "auth_1", "version": version, "status": "processing"}
    if pointer:
        wire["activeManualHandoff"] = {"id": pointer}
    before = NEW.replace(active=stored, floor=5)
    state, events = reduce(before, Observed(PriorAuthorization.model_validate(wire), (handoff,)), NOW)
    return state, [pending.event for pending in events if type(pending.event).__name__.startswith("Handoff")]


def stored(state="active", version=5, **more):
    return Handoff(id="mh", version=version, state=state, open_version=5, open_emitted=True, seen_at=NOW, **more)


def read(state, version, **more):
    return ManualHandoff(id="mh", version=version, state=state, access_available=True, **more)


@pytest.mark.parametrize("state", STATES[:3])
def test_an_older_read_of_a_handoff_is_not_believed(state):
    for older in STATES:
        after, events = after_read(stored(state), read(older, 4, result="revoked"))
        assert after.active.state == state
        assert not after.active.access_available
        assert events == []


@pytest.mark.parametrize(("before", "later"), [("closing", "active"), ("closing", "offered"), ("active", "offered")])
def test_a_handoff_never_moves_back(before, later):
    for version in (5, 6):
        after, events = after_read(stored(before), read(later, version))
        assert (after.active.state, after.active.version) == (before, 5)
        assert events == []


@pytest.mark.parametrize(
    ("state", "version", "expected"),
    [("active", 5, True), ("active", 6, True), ("closing", 5, True), ("active", 4, False), ("offered", 6, False)],
)
def test_a_read_counts_from_the_same_version_and_state_on(state, version, expected):
    assert is_current(stored(), read(state, version)) is expected


@pytest.mark.parametrize("operation", CLOSERS)
@pytest.mark.parametrize("result", [*RESULTS.values(), *PASSIVE, "a new word", None])
def test_an_end_is_ours_only_with_the_result_of_our_close(operation, result):
    closer = CLOSERS[operation]
    after, (event,) = after_read(stored(closer=closer), read("closed", 6, result=result))
    if result in {RESULTS[operation], None}:
        expected = "us", closer.reported
    elif result in PASSIVE:
        expected = PASSIVE[result], None
    else:
        expected = "other", "unable_to_complete" if result == "unable_to_complete" else None
    assert (event.by, event.reported) == expected
    assert (after.last.by, after.last.reported) == expected
    command = (closer.reason, OUR_CLOSE.metadata) if expected[0] == "us" else (None, None)
    assert (event.reason, event.metadata) == command


@pytest.mark.parametrize("result", [*RESULTS.values(), "a new word", None])
def test_without_our_close_an_end_is_another_actors(result):
    _, (event,) = after_read(stored(), read("closed", 6, result=result))
    assert event.by == "other"
    assert event.reported == ("unable_to_complete" if result == "unable_to_complete" else None)


@pytest.mark.parametrize(
    ("activated", "created", "opened"), [(5, 3, 5), (5, None, 5), (None, 3, 3), (None, None, None)]
)
def test_a_handoff_opened_when_it_was_activated_or_else_created(activated, created, opened):
    times = {
        name: datetime.fromtimestamp(seconds, UTC)
        for name, seconds in (("activated_at", activated), ("created_at", created))
        if seconds is not None
    }
    assert first_seen(read("active", 6, **times), 9, None, NOW).opened_at == opened
    assert updated(stored(opened_at=1.0), read("active", 6, **times), 9).opened_at == (opened or 1.0)


@pytest.mark.parametrize(("opened_at", "since"), [(None, NOW), (NOW - 5, NOW - 5), (NOW + 5, NOW)])
def test_a_handoff_is_open_since_our_first_read_at_the_latest(opened_at, since):
    assert open_since(stored(opened_at=opened_at)) == since


@pytest.mark.parametrize(("version", "pointer", "open_version"), [(9, "mh", 9), (5, "mh", 5), (9, None, 5)])
def test_the_authorization_alone_shows_at_which_version_a_handoff_was_open(version, pointer, open_version):
    wire = {"id": "auth_1", "version": version, "status": "processing"}
    if pointer:
        wire["activeManualHandoff"] = {"id": pointer}
    for handoffs in ((), (read("active", 6),)):
        observed = Observed(PriorAuthorization.model_validate(wire), handoffs)
        state, _ = reduce(NEW.replace(active=stored(), floor=5), observed, NOW)
        assert state.active.open_version == open_version


def test_the_last_sixteen_handoffs_that_ended_are_known():
    state = NEW
    for number in range(17):
        handoff = Handoff(id=f"mh_{number}", version=1, state="active", open_version=1, seen_at=NOW)
        closed = ManualHandoff(id=handoff.id, version=2, state="closed", result="expired")
        wire = {"id": "auth_1", "version": 9 + number, "status": "processing"}
        observed = Observed(PriorAuthorization.model_validate(wire), (closed,))
        state, _ = reduce(state.replace(active=handoff), observed, NOW)
    assert state.ended == tuple(f"mh_{number}" for number in range(1, 17))
