from hypothesis import given
from hypothesis import strategies as st

from consumers.deliverer.gate import FAILING_KEYS, FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, DeliveryWait, Gate


def _down(gate, now=0.0):
    for number in range(FAILING_KEYS):
        assert gate.enter(b"%d" % number, now) is None
        gate.failed(b"%d" % number, now)
    assert gate.is_down


def test_one_failing_key_never_closes_the_gate():
    gate = Gate(lambda: 0.5)
    for now in range(1000):
        assert gate.enter(b"poison", now) is None
        gate.failed(b"poison", now)
    assert gate.enter(b"other", 1000.0) is None


def test_a_success_between_failures_keeps_the_gate_open():
    gate = Gate(lambda: 0.5)
    for number in range(100):
        gate.failed(b"%d" % number, 0.0)
        if number % (FAILING_KEYS - 1) == 0:
            gate.succeeded()
    assert not gate.is_down


def test_a_receiver_that_is_down_gets_one_probe_at_a_time():
    gate = Gate(lambda: 0.0)
    _down(gate)
    assert gate.enter(b"a", 0.5).reason is DeliveryWait.DOWN
    assert gate.enter(b"a", FIRST_PAUSE_SECONDS) is None
    assert gate.enter(b"b", FIRST_PAUSE_SECONDS).reason is DeliveryWait.DOWN
    gate.failed(b"a", FIRST_PAUSE_SECONDS)
    assert gate.enter(b"b", 2.9).reason is DeliveryWait.DOWN
    assert gate.enter(b"b", 3.0) is None
    gate.succeeded()
    assert gate.enter(b"c", 3.0) is None


def test_retry_after_holds_every_key():
    gate = Gate(lambda: 0.0)
    gate.failed(b"a", 10.0, 30.0)
    gate.failed(b"b", 11.0, 5.0)
    assert gate.enter(b"c", 39.0) == (1.0, DeliveryWait.RETRY_AFTER)
    assert gate.enter(b"c", 40.0) is None


def test_a_stopped_gate_opens_only_by_a_resume():
    gate = Gate(lambda: 0.5)
    gate.stop()
    gate.succeeded()
    assert gate.enter(b"a", 1e9).reason is DeliveryWait.STOPPED
    gate.resume()
    assert gate.enter(b"a", 0.0) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "succeeded", "failed", "wait", "left"]), st.integers(0, 9), st.floats(0.0, 40.0)),
    max_size=200,
)


def _gate(*, is_down):
    gate = Gate(lambda: 0.5)
    if is_down:
        _down(gate)
    return gate


@given(STEPS, st.booleans())
def test_no_key_waits_for_ever_and_probes_never_overlap(steps, is_down):
    """A key that asks again when it was told to is let in after a bounded time, if calls end."""
    gate, now, entered, probe = _gate(is_down=is_down), 0.0, set(), None
    for step, number, value in steps:
        key = b"%d" % number
        match step:
            case "wait":
                now += value
            case "ask":
                was_down = gate.is_down
                if gate.enter(key, now) is None:
                    assert probe is None, "two probes at a time"
                    probe = key if was_down else None
                    entered.add(key)
            case "succeeded" if key in entered:
                entered.discard(key)
                probe = None
                gate.succeeded()
            case "failed" if key in entered:
                entered.discard(key)
                probe = None if probe == key else probe
                gate.failed(key, now)
            case "left" if key in entered:
                entered.discard(key)
                probe = None if probe == key else probe
                gate.left(key)
    for key in entered:
        gate.left(key)
    asked = 0
    while (held := gate.enter(b"last", now)) is not None:
        assert 0 < held.seconds <= 2 * LAST_PAUSE_SECONDS + 1
        now += held.seconds
        asked += 1
        assert asked < 5
