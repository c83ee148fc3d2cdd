"""Every fault that must raise an alert: the table in docs/operations.md, and the source of scenarios and drills.

`faults.txt` has five lines for each: name | first alert | severity | minutes | page | why it has no drill; what is
wrong; the words of the alert; the first command; what the overview says.

`make alerts` holds each row against the chart's rules (`tests/alerts/faults.py`), and
`tests/system/installations/test_faults.py` against real processes.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from docs_build.markdown import table

QUIET: Final = "Nothing is stuck"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and its first alert.

    Attributes:
        name: a slug, by which a scenario and a drill belong to the row.
        fault: what is wrong.
        alert: the first alert that fires, without the common prefix.
        severity, page: the alert's severity, and its section of docs/operations.md.
        minutes: the alert has fired this long after the fault began.
        words: the alert's summary, for the processes of the scenario.
        command: the first command of that section.
        says: what the overview says within 30 s; QUIET if no command is affected.
        no_drill: why the fault has no drill on real processes; empty if it has one.
    """

    name: str
    fault: str
    alert: str
    severity: str
    page: str
    minutes: int
    words: str
    command: str
    says: str
    no_drill: str = ""


def _fault(text: str) -> Fault:
    head, fault, words, command, says = text.strip().splitlines()
    name, alert, severity, minutes, page, *no_drill = head.split(" | ")
    return Fault(name, fault, alert, severity, page, int(minutes), words, command, says, *no_drill)


FAULTS: Final = tuple(map(_fault, Path(__file__).with_name("faults.txt").read_text(encoding="utf-8").split("\n\n")))


def part() -> str:
    """Return the table."""
    rows = [("; ".join(fault.fault for fault in faults), *answer) for answer, faults in groupby(FAULTS, _answer)]
    return table(("fault", "first alert", "within", "the overview says within 30 s"), rows)


def _answer(fault: Fault) -> tuple[str, str, str]:
    alert = f"[`CollateGateway{fault.alert}`](#{fault.page}), {fault.severity}"
    return alert, f"{fault.minutes} min", fault.says
