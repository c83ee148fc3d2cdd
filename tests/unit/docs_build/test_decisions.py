"""The golden file of the decisions, and the judge of what an upgrade would decide otherwise."""

import json
import random
from pathlib import Path

import pytest

from consumers.applier.decision import decide as table
from consumers.applier.decision.decide import Row, Write, decide
from docs_build import decisions
from docs_build.decisions import combinations, differences, since_release, tree
from schemas.collate.authorization import Status
from schemas.commands import HandoffRequest

# `tests/contract/documents/test_generated.py` shows that the file is current. To decide all takes four seconds.
GOLDEN = json.loads(Path(decisions.PATH).read_text())


@pytest.fixture
def requests_alone(monkeypatch):
    """Let `tree` decide requests alone; return the decisions of the file about them."""
    requests = {name: made for name, made in decisions._PAYLOADS.items() if isinstance(made, HandoffRequest)}
    monkeypatch.setattr(decisions, "_PAYLOADS", requests)
    return {name: GOLDEN[name] for name in requests}


def decision_in(branch, path):
    """What the file says about a combination, read as its format is explained."""
    for name in path:
        if isinstance(branch, str):
            return branch
        branch = next(part for names, part in branch.items() if names == "any" or name in names.split(" | "))
    return branch


def test_the_file_has_the_decision_of_every_combination():
    for path, now in random.Random(7).sample(list(combinations()), 5_000):
        assert decision_in(GOLDEN, path) == decisions._shown(decide(now)), path


def test_a_planted_row_is_listed_with_both_reasons(requests_alone, monkeypatch):
    monkeypatch.setattr(decisions, "released_json", {decisions.PATH: requests_alone}.get)
    assert since_release() == []
    planted = Row("planted", lambda d: d.authorization is not None and d.status_is(Status.PROCESSING), Write)
    monkeypatch.setitem(table.TABLE, HandoffRequest, (planted, *table.REQUEST))
    found = since_release()
    line = "handoff.request / nothing stored / names a handoff without an id / processing"
    assert f"{line}: wait: unreadable_answer -> write" in found
    assert {line.split(" / ")[0] for line in found} == requests_alone.keys()
    assert all(line.endswith("-> write") for line in found)


def test_each_combination_that_differs_is_covered_by_a_line(requests_alone, monkeypatch):
    monkeypatch.setitem(table.TABLE, HandoffRequest, tuple(row for row in table.REQUEST if row.when != "processing"))
    after = tree()
    lines = [line.partition(": ")[0].split(" / ") for line in differences(requests_alone, after)]
    for path, _ in random.Random(8).sample(list(combinations()), 2_000):
        differs = decision_in(requests_alone, path) != decision_in(after, path)
        covering = [line for line in lines if all(name in {"any", own} for name, own in zip(line, path, strict=False))]
        assert bool(covering) == differs, path


def test_what_only_one_release_distinguishes_is_compared_where_both_decide():
    before = {"a": "write", "b | c": {"any": {"x": "write", "y": "watch"}}}
    after = {"a": {"new": "write", "newer": "watch"}, "b": {"any": {"x": "watch", "y": "watch"}}, "d": "write"}
    assert list(differences(before, after)) == ["a / newer: write -> watch", "b / any / x: write -> watch"]


def test_before_the_first_release_no_decision_is_compared(monkeypatch):
    monkeypatch.setattr(decisions, "released_json", lambda _: None)
    assert since_release() is None
