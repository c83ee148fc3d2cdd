from hypothesis import given
from hypothesis import strategies as st

from adapters.collate.concurrency import ConcurrencyLimit, collate_seconds


def run(it, seconds, *, latency, start=0.0, writes=False, busy=True):
    """Feed finished calls for some seconds as a full pipe would."""
    now = start
    while now < start + seconds:
        now += latency / max(1, it.limit) if busy else latency
        it.sample(now, latency, it.limit if busy else 1, writes=writes)
    return now


def test_it_grows_to_its_maximum_while_calls_are_as_quick_as_usual():
    it = ConcurrencyLimit(64)
    run(it, 15, latency=0.05)
    assert it.limit == 64


def test_it_does_not_grow_beyond_what_is_used():
    it = ConcurrencyLimit(64)
    run(it, 15, latency=0.005, busy=False)
    assert it.limit == 16


def test_it_shrinks_when_calls_get_slower():
    it = ConcurrencyLimit(64)
    now = run(it, 15, latency=0.05)
    now = run(it, 5, latency=0.5, start=now)
    assert it.limit < 24


def test_it_grows_again_when_calls_are_quick_again():
    it = ConcurrencyLimit(64)
    now = run(it, 15, latency=0.05)
    now = run(it, 10, latency=0.5, start=now)
    run(it, 60, latency=0.05, start=now)
    assert it.limit == 64


def test_a_busy_process_does_not_make_collate_look_slow():
    it, starved = ConcurrencyLimit(64), ConcurrencyLimit(64)
    now = run(it, 15, latency=0.05)
    run(starved, 15, latency=0.05)
    run(it, 5, latency=collate_seconds(0.55, own_delay_seconds=0.25), start=now)
    run(starved, 5, latency=0.55, start=now)
    assert it.limit == 64
    assert starved.limit < 24


def test_no_call_has_a_negative_duration():
    assert collate_seconds(0.1, own_delay_seconds=0.2) == 0.0


def test_one_slow_authorization_among_quick_ones_does_not_shrink_it():
    it = ConcurrencyLimit(64)
    now = run(it, 15, latency=0.05)
    for _ in range(200):
        it.sample(now, 10.0, 64, writes=False)
        now = run(it, 0.1, latency=0.05, start=now)
    assert it.limit == 64


def test_a_larger_share_of_the_slower_kind_of_call_does_not_shrink_the_limit():
    it = ConcurrencyLimit(64)
    now = run(it, 10, latency=0.01, writes=False)
    now = run(it, 10, latency=0.3, start=now, writes=True)
    before = it.limit
    run(it, 10, latency=0.3, start=now, writes=True)
    assert before >= 60
    assert it.limit == 64


def test_a_refusal_for_load_cuts_it_once_a_second():
    it = ConcurrencyLimit(100)
    run(it, 30, latency=0.1)
    limits = []
    for now in (100.0, 100.5, 101.0):
        it.cut(now)
        limits.append(it.limit)
    assert limits == [70, 70, 49]


def test_after_an_outage_it_begins_at_one_and_ramps_up():
    it = ConcurrencyLimit(64)
    now = run(it, 20, latency=0.05)
    it.restart()
    assert it.limit == 1
    now = run(it, 1, latency=0.05, start=now)
    assert 1 < it.limit < 10
    run(it, 15, latency=0.05, start=now)
    assert it.limit == 64


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 2), st.integers(0, 300), st.booleans()), max_size=200),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_it_stays_within_one_and_its_maximum(maximum, samples, cuts):
    it = ConcurrencyLimit(maximum)
    now = 0.0
    for index, (latency, gone, in_flight, writes) in enumerate(samples):
        now += gone
        it.sample(now, latency, in_flight, writes=writes)
        if index in cuts:
            it.cut(now)
        assert 1 <= it.limit <= maximum
