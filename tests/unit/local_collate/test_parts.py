"""The small parts of the simulated Collate: clock, key store, ledger, fault counters, overlays."""

import pytest

from local.collate.calls.keys import Keys, fingerprint
from local.collate.clock import Clock, rfc3339
from local.collate.faults.rules import FaultRules
from local.collate.http.message import Reply, Request
from local.collate.http.refusal import KEY_REUSED
from local.collate.http.wire import merged
from local.collate.ledger import Ledger
from local.collate.profile import NAMED, Profile, named


def test_a_frozen_clock_does_not_run_until_it_is_advanced():
    clock = Clock()
    clock.freeze()
    at = clock.now()
    assert (clock.now(), clock.advance(5), clock.is_frozen) == (at, at + 5, True)
    clock.release()
    assert clock.now() >= at + 5


def test_a_clock_never_goes_back():
    with pytest.raises(ValueError, match="only moves forward"):
        Clock().advance(-1)


def test_times_are_rfc3339_in_utc():
    assert rfc3339(1_780_000_000.5) == "2026-05-28T20:26:40.500Z"


@pytest.mark.parametrize("name", NAMED)
def test_a_named_profile_changes_only_its_readings(name):
    changed = {key for key, value in named([name]).as_json().items() if value != Profile().as_json()[key]}
    assert changed == set(NAMED[name])


def test_the_key_store_is_bounded_and_drops_the_oldest_key():
    keys, profile = Keys(2), Profile()
    for key in ("a", "b", "c"):
        keys.keep(("org", "/p", key), "{}", Reply(200, b""), 0.0, profile)
    known = [keys.recall(("org", "/p", key), "{}", 1, 0.0, profile) is not None for key in ("a", "b", "c")]
    assert known == [False, True, True]


def test_a_key_is_unique_per_organization_and_path():
    keys, profile = Keys(10), Profile()
    keys.keep(("org", "/p", "k"), "{}", Reply(200, b""), 0.0, profile)
    assert keys.recall(("org", "/p", "k"), "[]", 1, 0.0, profile) is KEY_REUSED
    assert keys.recall(("org2", "/p", "k"), "[]", 1, 0.0, profile) is None
    assert keys.recall(("org", "/p2", "k"), "[]", 1, 0.0, profile) is None


def test_equal_json_has_the_same_fingerprint():
    assert fingerprint({"a": 1, "b": [2]}, "1", Profile()) == fingerprint({"b": [2], "a": 1}, "2", Profile())
    assert fingerprint({"a": 1}, "1", Profile()) != fingerprint({"a": 2}, "1", Profile())
    covering = named(["fingerprints_if_match"])
    assert fingerprint({}, "1", covering) != fingerprint({}, "2", covering)


def test_the_ledger_is_bounded_and_counts_dropped_rows():
    ledger = Ledger(3)
    for _ in range(5):
        ledger.open(
            "GET", "/v1/prior-authorizations/a/manual-handoffs/b", 0.0, b"", organization=None, key=None, if_match=None
        )
    summary = ledger.summary()
    assert (summary["calls"], summary["callsForgotten"]) == (5, 2)
    assert summary["byRoute"] == {"GET /v1/prior-authorizations/*/manual-handoffs/*": 3}
    assert [call.number for call in ledger.calls] == [3, 4, 5]


def test_a_fault_window_ends_by_simulated_time():
    faults = FaultRules()
    faults.add({"do": "reset", "forSeconds": 10}, now=100.0)
    assert [len(faults.matching("GET", "/", at)) for at in (100.0, 109.9, 110.0)] == [1, 1, 0]


def test_counters_count_matching_calls_only():
    faults = FaultRules()
    faults.add({"do": "reset", "method": "POST", "nth": 2}, now=0.0)
    methods = ["GET", "POST", "GET", "POST", "POST"]
    assert [len(faults.matching(method, "/", 0.0)) for method in methods] == [0, 0, 0, 1, 0]


def test_an_overlay_merges_objects_and_replaces_everything_else():
    assert merged({"a": {"b": 1, "c": [1]}}, {"a": {"c": [2], "d": None}}) == {"a": {"b": 1, "c": [2], "d": None}}


def test_the_last_of_a_repeated_parameter_counts():
    assert Request("GET", "/", "a=1&a=2&b=", {}, b"").parameters == {"a": "2", "b": ""}
