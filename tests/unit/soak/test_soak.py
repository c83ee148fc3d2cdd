import re

from local.soak.growth import MEMORY_BYTES, Series, grows, grows_per_command, slope_of
from local.soak.page import growth_of, problems_of, render
from local.soak.records import Fault, Sample, Session, SessionLog, read_sessions

MIB = 1 << 20


def line(name, unit, begin, per_step, steps=30):
    return Series(name, unit, tuple((60.0 * n, begin + per_step * n) for n in range(steps)))


def test_the_slope_is_that_of_the_line():
    assert slope_of([(0, 5), (10, 25), (20, 45)]) == 2
    assert slope_of([(3, 1)]) == 0


def test_memory_that_stays_or_grows_with_the_authorizations_is_no_growth():
    assert grows(line("memory", "bytes", 100 * MIB, 0), 0) is None
    assert grows(line("memory", "bytes", 100 * MIB, 2 * MIB), 30_000) is None


def test_memory_that_grows_without_a_load_fails():
    found = grows(line("memory worker-1", "bytes", 100 * MIB, 2 * MIB), 100)
    assert found.startswith("memory worker-1 grew by 57.8 MiB")
    assert grows(line("memory", "bytes", 100 * MIB, MEMORY_BYTES / 40), 0) is None, "below the least that counts"


def test_handles_that_grow_fail():
    assert "grew by 58 handles" in grows(line("handles", "handles", 50, 2), 10_000)
    assert grows(line("handles", "handles", 50, 0.3), 0) is None


def test_a_topic_may_grow_with_the_commands_but_not_for_each_command():
    commands = line("commands", "commands", 0, 10)
    assert grows_per_command(line("topic events", "bytes", 0, 5_000), commands) is None
    bent = Series("topic events", "bytes", tuple((60.0 * n, 500_000.0 * n + 90_000.0 * n * n) for n in range(30)))
    assert grows_per_command(bent, commands).startswith("topic events took")
    few = Series("table commands", "bytes", ((0, 0), *((60.0 * n, 8_192.0 * (n // 10) ** 2) for n in range(1, 30))))
    assert grows_per_command(few, commands) is None, "a table grows by whole pages"


def test_three_samples_prove_nothing():
    assert grows(line("memory", "bytes", 0, 99 * MIB, steps=3), 0) is None


def session(per_step=0, broken=()):
    samples = [
        Sample(60.0 * n, {"memory worker-1": 100 * MIB + per_step * n, "table <x>": 1_000.0 * n}, n, n, n, [0.1, 0.2])
        for n in range(60)
    ]
    return Session(0.0, 7, "1.0", samples, [Fault("Collate away", 60.0, 90.0)], list(broken), {"commands accepted": 5})


def test_a_soak_fails_for_growth_or_a_broken_promise_and_names_the_session():
    assert problems_of([session()]) == []
    assert problems_of([session(), session(broken=["a command is lost: c1"])]) == ["session 2: a command is lost: c1"]
    assert growth_of(session(per_step=2 * MIB))[0].startswith("memory worker-1 grew")


def test_the_page_says_how_long_it_ran_and_loads_nothing():
    page = render([session(), session(broken=["<b>"])], 12)
    assert "Ran 2.0 h of 12.0 h, in 2 session(s)" in page
    assert "&lt;b&gt;" in page
    assert "table &lt;x&gt;" in page
    assert re.findall(r"https?://|src=|href=|url\(", page) == []
    for title in ("Faults", "Command to end", "Growth", "Collate away, 60 s to 90 s", "hour 1"):
        assert title in page
    interrupted = session()
    interrupted.broken = None
    assert "not judged: session 1" in render([interrupted], 12)


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
