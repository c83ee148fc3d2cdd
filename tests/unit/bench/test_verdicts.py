"""The exit code of the engine's benchmark follows from its checker's verdicts."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from bench.engine import __main__ as engine_bench
from bench.engine.topics import Verdict

CLEAN = Verdict(10, 0, 0, 0)


@pytest.fixture
def found(monkeypatch):
    """The verdicts of the throughput runs, in order. Nothing runs."""
    found = []

    async def throughput(*_, **__):
        return engine_bench.Throughput(1.0, 1.0, 1.0, found.pop(0) if found else CLEAN)

    monkeypatch.setattr(engine_bench, "throughput", throughput)
    monkeypatch.setattr(engine_bench, "Cluster", lambda **_: nullcontext(SimpleNamespace(bootstrap="")))
    return found


@pytest.mark.parametrize("bad", [Verdict(9, 1, 0, 0), Verdict(11, 0, 1, 0), Verdict(10, 0, 0, 1)], ids=str)
async def test_a_lost_duplicate_or_unordered_record_fails_the_bench_even_if_later_runs_are_clean(found, bad):
    found += [CLEAN, bad]
    assert await engine_bench.measure(["throughput", "throughput"], 2, 0.1) == 1


async def test_a_clean_bench_does_not_fail(found):
    assert await engine_bench.measure(["throughput"], 2, 0.1) == 0
