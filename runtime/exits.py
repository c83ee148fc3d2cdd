"""Exit codes, and the exception that ends a process before it starts its work."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `gateway` command; those of sysexits.h where one fits."""

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
    Exit.OK: "done; for a process: stopped on request, all work finished",
    Exit.FAILED: "a part of the process failed; its last log lines name the part and the error",
    Exit.USAGE: "wrong command line",
    Exit.CHANGES: "`gateway topics plan` or `gateway collate probe` found something to change",
    Exit.UNAVAILABLE: "a one-shot command could not reach a service that it needs",
    Exit.INTERNAL: "unexpected error outside any part of the process",
    Exit.CUT_SHORT: "stop deadline exceeded with work unfinished; nothing is lost, the next start resumes it",
    Exit.DENIED: "`gateway check`: Kafka, Collate or PostgreSQL rejected the credentials, or a permission is missing",
    Exit.CONFIG: "wrong settings or topics; stderr lists every problem",
}


class StartupError(Exception):
    """The process can't start; `problems` lists each reason and its remedy, `hint` where to look for more."""

    title = "start"
    hint = ""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} with the {self.title}")

    def __str__(self) -> str:
        """Return the count, then one problem per line."""
        return "\n".join([str(self.args[0]) + ":", *(f"  - {problem}" for problem in self.problems)])
