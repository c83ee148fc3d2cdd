"""`make drill`, as a user runs it. The other drills run by hand: they take minutes."""

import subprocess
import sys

RIG = (sys.executable, "-m", "local")


def test_a_drill_tells_what_happens_judges_the_run_and_leaves_nothing(temporary, processes_in):
    done = subprocess.run([*RIG, "drill", "poison", "--seconds", "1"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    told = [
        "Breaks Collate answers every write for auth_poison with 400",
        "The operator gets CollateGatewayDeadLetters",
        "docs/operations.md#dead-letters",
        "$ gateway dead-letters list",
        "request_refused",
        "of other authorizations notice nothing",
        "The operator mends it: redrive the command",
        "It heals the caller gets command.finished: applied",
        "Verdict: every promise was kept",
    ]
    places = [done.stdout.find(one) for one in told]
    assert -1 not in places, (told[places.index(-1)], done.stdout)
    assert places == sorted(places)
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []


def test_an_unknown_drill_is_named_with_the_known_ones():
    done = subprocess.run([*RIG, "drill", "poisson"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'poisson'" in done.stderr
    assert "poison" in done.stderr.split(":")[-1]
