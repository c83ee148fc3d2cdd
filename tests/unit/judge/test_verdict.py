"""The judge searches the logs for secrets once, after it has compared topics and Collate."""

import re
from types import SimpleNamespace

import pytest

from local.judge import verdict
from local.judge.verdict import Judge
from tests.unit.judge.test_checks import GOOD

SECRET = "https://collate.example/grants/agrant_7"


@pytest.fixture
def judge(monkeypatch, tmp_path):
    async def gather(*_, keys, since):
        return GOOD

    monkeypatch.setattr(verdict, "gather", gather)
    callers = SimpleNamespace(accepted={}, ended={}, granted=set(), secrets=[SECRET])
    return Judge("", "", 1, None, SimpleNamespace(shown={}), callers, None, tmp_path)


async def test_a_secret_in_a_log_is_a_broken_promise(judge):
    (judge.logs / "worker.log").write_text(f"collate.attempt url={SECRET}")
    evidence, broken = await judge.judge(0)
    assert [(one.rule, re.match(r"worker\.log: ", one.where) is not None) for one in broken] == [
        ("a secret was published or logged", True)
    ]
    assert SECRET not in broken[0].where
    assert len(evidence.leaks) == 1


async def test_logs_without_a_secret_break_no_promise(judge):
    (judge.logs / "worker.log").write_text("collate.attempt")
    evidence, broken = await judge.judge(0)
    assert (evidence.leaks, broken) == ([], [])
