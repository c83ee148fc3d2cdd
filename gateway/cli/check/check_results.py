"""The results of `gateway check`: one line each, and one exit code for all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runtime.exits import Exit

State = Literal["ok", "differs", "FAILED", "skipped"]
# The first of these codes that a result has is the exit code.
_BY_PRIORITY = (Exit.CONFIG, Exit.DENIED, Exit.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. Only a FAILED result has a `code` other than OK."""

    what: str
    state: State
    detail: str
    code: Exit = Exit.OK


def ok(what: str, detail: str) -> CheckResult:
    """Return a result for a check that passed."""
    return CheckResult(what, "ok", detail)


def differs(what: str, detail: str) -> CheckResult:
    """Return a warning: the process works, but a value differs from the recommended one."""
    return CheckResult(what, "differs", detail)


def skipped(what: str, why: str) -> CheckResult:
    """Return a result for a check that was not possible or not requested."""
    return CheckResult(what, "skipped", why)


def failed(what: str, detail: str, code: Exit) -> CheckResult:
    """Return a result for a problem that keeps the process from starting or working."""
    return CheckResult(what, "FAILED", detail, code)


def exit_code(results: Iterable[CheckResult]) -> Exit:
    """Return the exit code of all results."""
    codes = {result.code for result in results}
    return next((code for code in _BY_PRIORITY if code in codes), Exit.OK)
