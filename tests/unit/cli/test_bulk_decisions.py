"""Decisions about all dead letters that match filters: only those that the operator saw, each reported once."""

import hashlib
import json

import pytest

from cli.api_client import ApiClient, GatewayUnavailable, RequestRejected
from cli.dead_letters import bulk_decisions
from cli.dead_letters.bulk_decisions import decide_matching
from cli.dead_letters.decisions import Decision
from cli.dead_letters.selection import read_matching

PER_REQUEST = 2
DECISION = Decision("discard", "op-7", "checked_by_hand", "OPS-1", None, 1_000.0, 0)


class Gateway:
    """Dead letters, as the ingress lists and decides them: `faults` has an exception or None for each decision."""

    def __init__(self, count):
        self.dead_letters = [
            {"commandId": f"c-{n}", "authorizationId": f"auth_{n}", "redrive": 0} for n in range(count)
        ]
        self.decided, self.bodies, self.faults = [], [], []
        self.undecidable = set()

    def digest(self, found):
        return hashlib.sha256(str([(one["commandId"], one["redrive"]) for one in found]).encode()).hexdigest()

    def read(self, call):
        assert call.path == "/v1/dead-letters"
        query = dict(call.query)
        assert query["cause"] == "too_old"
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        page = {"deadLetters": self.dead_letters[start : start + limit], "matching": len(self.dead_letters)}
        if "digest" in query:
            page |= {"at": query.get("before", "2026-06-02T14:00:00Z"), "digest": self.digest(self.dead_letters)}
        else:
            assert query["before"] == "2026-06-02T14:00:00Z"
        return page | ({"next": str(start + limit)} if start + limit < len(self.dead_letters) else {})

    pages = ApiClient.pages

    def send(self, call):
        assert call.path == "/v1/dead-letters/decisions"
        body = json.loads(call.body)
        assert body["selection"] == {"cause": "too_old", "before": "2026-06-02T14:00:00Z"}
        self.bodies.append(body)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, RequestRejected):
            raise fault
        rest = self.dead_letters[int(body.get("after", 0)) :]
        if (body["count"], body["digest"]) != (len(rest), self.digest(rest)):
            raise RequestRejected("dead-letters-changed", "Nothing was decided.")
        taken = [one["commandId"] for one in rest[:PER_REQUEST]]
        self.decided += [one for one in taken if one not in self.undecidable]
        if fault is not None:
            raise fault
        after = {"next": str(int(body.get("after", 0)) + PER_REQUEST)} if rest[PER_REQUEST:] else {}
        return {
            "decided": [one for one in taken if one not in self.undecidable],
            "notDecided": [{"commandId": one, "problem": "not_redrivable"} for one in taken if one in self.undecidable],
            "remaining": len(rest[PER_REQUEST:]),
            "digest": self.digest(rest[PER_REQUEST:]),
        } | after


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(bulk_decisions.time, "sleep", lambda _: None)


def run(gateway, seen):
    reports = []
    rejected = decide_matching(gateway, seen, DECISION, reports.append)
    return rejected, [(one["commandId"], one["result"]) for one in reports]


def test_the_list_is_read_whole_and_has_the_digest_of_its_first_page(monkeypatch):
    monkeypatch.setattr("cli.dead_letters.selection.PAGE", 2)
    gateway = Gateway(5)
    seen = read_matching(gateway, {"cause": "too_old"})
    assert seen.dead_letters == gateway.dead_letters
    assert seen.digest == gateway.digest(gateway.dead_letters)
    assert seen.filters["before"] == "2026-06-02T14:00:00Z"


def test_all_are_decided_in_bounded_requests_and_reported_once():
    gateway = Gateway(5)
    rejected, reports = run(gateway, read_matching(gateway, {"cause": "too_old"}))
    assert (rejected, reports) == (0, [(f"c-{n}", "accepted") for n in range(5)])
    assert [body["count"] for body in gateway.bodies] == [5, 3, 1]
    assert "why" not in gateway.bodies[0]
    assert gateway.bodies[0]["ticket"] == "OPS-1"


def test_one_that_cannot_be_decided_is_rejected_and_the_others_are_decided():
    gateway = Gateway(3)
    gateway.undecidable = {"c-1"}
    rejected, reports = run(gateway, read_matching(gateway, {"cause": "too_old"}))
    assert (rejected, reports) == (1, [("c-0", "accepted"), ("c-1", "refused"), ("c-2", "accepted")])


def test_nothing_is_decided_if_one_matches_that_the_operator_has_not_seen():
    gateway = Gateway(3)
    seen = read_matching(gateway, {"cause": "too_old"})
    gateway.dead_letters[1] = gateway.dead_letters[1] | {"redrive": 1}
    with pytest.raises(RequestRejected, match="0 of 3 decisions were sent"):
        run(gateway, seen)
    assert gateway.decided == []


def test_the_run_continues_if_another_operator_decided_some_of_them():
    gateway = Gateway(5)
    seen = read_matching(gateway, {"cause": "too_old"})
    del gateway.dead_letters[3]
    rejected, reports = run(gateway, seen)
    assert rejected == 0
    assert sorted(reports) == sorted([(f"c-{n}", "accepted") for n in (0, 1, 2, 4)] + [("c-3", "ended")])
    assert sorted(gateway.decided) == ["c-0", "c-1", "c-2", "c-4"]


def test_an_absent_gateway_ends_the_run_and_says_what_was_sent():
    gateway = Gateway(3)
    gateway.faults = [None, GatewayUnavailable("away")]
    with pytest.raises(GatewayUnavailable, match="2 of 3 were sent"):
        run(gateway, read_matching(gateway, {"cause": "too_old"}))


def test_a_set_that_changes_all_the_time_ends_the_run():
    gateway = Gateway(2)
    seen = read_matching(gateway, {"cause": "too_old"})
    gateway.faults = [RequestRejected("dead-letters-changed", "again")] * 99
    with pytest.raises(RequestRejected):
        run(gateway, seen)
    assert len(gateway.bodies) < 30
