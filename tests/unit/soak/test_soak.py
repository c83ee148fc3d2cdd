import asyncio
import random
import time

import pytest

from local.soak.growth import HOUR, Series, Trend, growth_of
from local.soak.records import Fault, Sample, Session, SessionLog, read_sessions
from local.soak.run import _Soak
from local.soak.soak_page import growth_problems, growths_of, problems_of

MIB = 1 << 20
PROCESSES = ("worker-1", "ingress-0", "projector")


def noisy(name, unit, per_hour, noise, *, minutes=90):
    chance = random.Random(1)
    begin = 150.0 * MIB if unit == "bytes" else 50.0
    times = [30.0 * n for n in range(2 * minutes + 1)]
    return Series(name, unit, tuple((at, begin + per_hour * at / HOUR + chance.gauss(0, noise)) for at in times))


@pytest.mark.parametrize(
    ("per_hour", "noise", "trend"),
    [
        (0, 0.5, Trend.STEADY),
        (0, 12, Trend.UNCLEAR),
        (3, 0.5, Trend.GROWS),
        (16, 3, Trend.GROWS),
        (55, 3, Trend.GROWS),
        (-9, 1, Trend.STEADY),
    ],
)
def test_a_trend_needs_an_interval_on_one_side_of_the_least_rate(per_hour, noise, trend):
    found = growth_of(noisy("memory projector", "bytes", per_hour * MIB, noise * MIB))
    assert found.trend is trend
    assert found.per_hour == pytest.approx(per_hour * MIB, abs=found.margin * 2)


def test_an_hour_is_the_least_time():
    steep = {minutes: noisy("memory projector", "bytes", 90 * MIB, MIB, minutes=minutes) for minutes in (59, 60)}
    assert {minutes: growth_of(series).trend for minutes, series in steep.items()} == {
        59: Trend.TOO_SHORT,
        60: Trend.GROWS,
    }
    assert growth_of(Series("memory", "bytes", ())).trend is Trend.TOO_SHORT


def test_authorizations_explain_the_growth_of_workers_alone():
    assert _trends(2_048, authorizations=100) == {
        "worker-1": Trend.STEADY,
        "ingress-0": Trend.GROWS,
        "projector": Trend.GROWS,
    }


def test_commands_explain_the_growth_of_the_ingress_until_it_remembers_its_most():
    assert _trends(512, commands=100)["ingress-0"] is Trend.STEADY
    assert _trends(512 + 1_536, commands=20)["ingress-0"] is Trend.STEADY
    assert _trends(512, commands=2_000)["ingress-0"] is Trend.GROWS
    assert _trends(512, commands=100)["worker-1"] is Trend.GROWS


def _trends(bytes_each, *, authorizations=0, commands=0):
    """The trends of processes that keep so many bytes for each authorization or command, as many in a minute."""
    samples = []
    for minute in range(91):
        kept = {f"memory {name}": 150.0 * MIB + bytes_each * minute * (authorizations + commands) for name in PROCESSES}
        ended = minute * commands if bytes_each > 512 else 10_000
        samples.append(Sample(60.0 * minute, kept, minute * commands, ended, minute * authorizations, []))
    found = growths_of(Session(0.0, 7, "1.0", samples))
    return {part.name.removeprefix("memory "): growth.trend for part, growth in found}


def session(per_step=0, broken=(), steps=91):
    samples = [
        Sample(60.0 * n, {"memory worker-1": 100 * MIB + per_step * n, "table <x>": 1_000.0 * n}, n, n, n, [0.1, 0.2])
        for n in range(steps)
    ]
    return Session(0.0, 7, "1.0", samples, [Fault("Collate away", 60.0, 90.0)], list(broken), {"commands accepted": 5})


def test_a_soak_fails_for_growth_or_a_broken_promise_and_names_the_session():
    assert problems_of([session()]) == []
    assert problems_of([session(), session(broken=["a command is lost: c1"])]) == ["session 2: a command is lost: c1"]
    assert growth_problems(session(per_step=2 * MIB)) == [
        "memory worker-1 grows by +119.88 ± 0.00 MiB/h more than the load explains"
    ]


def test_a_directory_keeps_its_sessions_and_a_line_that_was_cut_off_is_left_out(tmp_path):
    wanted = session()
    log = SessionLog(tmp_path, 0.0, 7, "1.0")
    for sample in wanted.samples:
        log.sample(sample)
    log.fault(wanted.faults[0])
    log.verdict([], wanted.judged)
    with (tmp_path / "soak.jsonl").open("a") as lines:
        lines.write('{"line": "samp')
    SessionLog(tmp_path, 5.0, 8, "1.0")
    assert read_sessions(tmp_path) == [wanted, Session(5.0, 8, "1.0")]
    assert read_sessions(tmp_path / "new") == []


async def test_the_measurements_end_when_a_fault_has_failed(tmp_path):
    failed = asyncio.create_task(asyncio.sleep(0))
    await failed
    soak = _Soak(console=None, directory=tmp_path, seconds=3_600.0, seed=7, cases_per_second=1.0, hours=1.0)
    await soak._sample(scene=None, log=None, began=time.monotonic(), others={failed})
