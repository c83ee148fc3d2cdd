"""What `gateway check` finds: one line each, and the exit code that all of them come to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runtime.exits import Exit

State = Literal["ok", "differs", "FAILED", "skipped"]
# The first of these that any finding calls for: what nobody but us can mend comes first.
_GRAVEST_FIRST = (Exit.CONFIG, Exit.DENIED, Exit.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at. `code` is what a failure calls for; only FAILED ones have another than OK."""

    what: str
    state: State
    detail: str
    code: Exit = Exit.OK


def ok(what: str, detail: str) -> CheckResult:
    """It is as it must be."""
    return CheckResult(what, "ok", detail)


def differs(what: str, detail: str) -> CheckResult:
    """It works, and is not as it should be."""
    return CheckResult(what, "differs", detail)


def skipped(what: str, why: str) -> CheckResult:
    """It could not be looked at, or was not asked for."""
    return CheckResult(what, "skipped", why)


def failed(what: str, detail: str, code: Exit) -> CheckResult:
    """A process would not run, or not work, like this."""
    return CheckResult(what, "FAILED", detail, code)


def verdict(findings: Iterable[CheckResult]) -> Exit:
    """Return the one exit code of all findings."""
    codes = {finding.code for finding in findings}
    return next((code for code in _GRAVEST_FIRST if code in codes), Exit.OK)
