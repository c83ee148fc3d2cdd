"""The results of `gateway check`: one line each, and one exit code for all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runtime.exits import Exit

State = Literal["ok", "differs", "FAILED", "skipped"]
# The exit code is the first of these that a result has.
_BY_PRIORITY = (Exit.CONFIG, Exit.DENIED, Exit.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. Only a FAILED result has a `code` other than OK."""

    subject: str
    state: State
    detail: str
    code: Exit = Exit.OK


def ok(subject: str, detail: str) -> CheckResult:
    """Return a result for a check that passed."""
    return CheckResult(subject, "ok", detail)


def differs(subject: str, detail: str) -> CheckResult:
    """Return a warning: the process works, but a value differs from the recommended one."""
    return CheckResult(subject, "differs", detail)


def skipped(subject: str, why: str) -> CheckResult:
    """Return a result for a check that was not possible or not requested."""
    return CheckResult(subject, "skipped", why)


def failed(subject: str, detail: str, code: Exit) -> CheckResult:
    """Return a result for a problem that keeps the process from starting or working."""
    return CheckResult(subject, "FAILED", detail, code)


def exit_code(results: Iterable[CheckResult]) -> Exit:
    """Return the exit code of all results."""
    codes = {result.code for result in results}
    return next((code for code in _BY_PRIORITY if code in codes), Exit.OK)
