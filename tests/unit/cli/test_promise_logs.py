"""Random logs of minutes to days: `gateway check promises` names each planted fault, and is green without one.

PROMISE_LOGS sets the number of logs of each kind; `make test-all` takes 300.
"""

import os
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cli.check import promise_reader
from runtime.settings import TopicSettings
from tests.unit.cli.promise_logs import FAULTS, PARTITIONS, Log, cut, links_in_names, open_log

LOGS = int(os.environ.get("PROMISE_LOGS", "40"))
SETTINGS = SimpleNamespace(
    topics=TopicSettings(prefix="t.", partitions=PARTITIONS, replication=1, min_insync=1), kafka=None
)


async def rules_in(log, monkeypatch, change=lambda entries: entries):
    entries = change(log.entries())
    monkeypatch.setattr(promise_reader, "open_reader", lambda _kafka, places, **_: open_log(entries, places))
    found = await promise_reader._look(SETTINGS, datetime.fromtimestamp(log.since, UTC))
    return {one.rule for each in found for one in each.violations}, found


async def test_no_true_log_is_red(monkeypatch):
    for seed in range(LOGS):
        log = Log(f"true {seed}")
        if seed % 3 == 0:
            links_in_names(log)
        is_cut = seed % 4 == 0
        rules, found = await rules_in(log, monkeypatch, (lambda e, log=log: cut(log, e)) if is_cut else lambda e: e)
        assert not rules, (seed, [one for each in found for one in each.violations])


async def test_each_planted_fault_is_named_by_its_promise(monkeypatch):
    planted, named, missed = Counter(), Counter(), []
    seed = 0
    while planted.total() < LOGS:
        seed += 1
        log = Log(f"planted {seed}")
        fault = min(FAULTS, key=lambda one: planted[one.__name__])
        wanted = fault(log)
        if wanted is None:
            continue
        planted[fault.__name__] += 1
        rules, _ = await rules_in(log, monkeypatch)
        if {rule.promise for rule in wanted} & {rule.promise for rule in rules} and wanted & rules:
            named[fault.__name__] += 1
        else:
            missed.append((seed, fault.__name__, rules))
    print(f"planted {planted.total()} in {seed} logs, {len(missed)} not named: {dict(planted)}")
    assert len(missed) <= LOGS // 1_000, missed[:10]
    assert len(planted) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_nothing_of_a_fault_is_shown_but_ids(fault, monkeypatch):
    for seed in range(40):
        log = Log(f"shown {seed}")
        if fault(log) is None:
            continue
        _, found = await rules_in(log, monkeypatch)
        shown = str([each.violations for each in found])
        assert "://" not in shown
        assert "Jane" not in shown
