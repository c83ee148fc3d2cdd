"""The small parts of the simulated Collate: clock, key store, ledger, fault counters, overlays."""

import pytest

from local.collate.calls.keys import Keys
from local.collate.clock import rfc3339
from local.collate.http.message import Reply, Request
from local.collate.ledger import Ledger
from local.collate.profile import NAMED, Profile, named


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


def test_the_last_of_a_repeated_parameter_counts():
    assert Request("GET", "/", "a=1&a=2&b=", {}, b"").parameters == {"a": "2", "b": ""}
