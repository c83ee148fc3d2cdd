"""How a process ends, as a number and as the one exception that means "don't start like this"."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `gateway` command; sysexits where one fits."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHANGES = 3
    UNAVAILABLE = 69
    INTERNAL = 70
    CUT_SHORT = 75
    DENIED = 77
    CONFIG = 78


EXIT_MEANINGS = {
    Exit.OK: "stopped because it was asked to, with everything finished",
    Exit.FAILED: "a part of the process failed; the last log lines say which and why",
    Exit.USAGE: "the command line is wrong",
    Exit.CHANGES: "`gateway topics plan`: there is something to apply",
    Exit.UNAVAILABLE: "a one-shot command could not reach what it needs",
    Exit.INTERNAL: "an error that nobody planned, outside any part of the process",
    Exit.CUT_SHORT: "the stop deadline passed with work unfinished; nothing is lost, the next start takes it up",
    Exit.DENIED: "`gateway check`: Kafka or Collate is there and does not let us in, or not do what we must",
    Exit.CONFIG: "the settings or the topics are wrong; every problem is listed on stderr",
}


class StartupError(Exception):
    """The process must not run like this; `problems` lists every reason, each with what to do."""

    title = "start"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} with the {self.title}")

    def __str__(self) -> str:
        """Show the count and one problem per line."""
        return "\n".join([str(self.args[0]) + ":", *(f"  - {problem}" for problem in self.problems)])
