"""The order of the records of `commands` in the worker, from their headers alone. Pure."""

from typing import Final

from consumers.applier.task import UNKNOWN_CALLER
from consumers.engine import Record, Turn
from schemas.callers import person_of
from schemas.commands import LowerVersionFloor
from schemas.enums import PREFIX

_PASSES: Final = ("ce_type", LowerVersionFloor.TYPE.encode())
_URGENT: Final = (f"{PREFIX}handoff.".encode(), f"{PREFIX}command.".encode())


def passes_waiting(record: Record) -> bool:
    """Whether a record, before it is parsed, is of a task that `passes_waiting`."""
    return _PASSES in record.headers


def turn_of(record: Record) -> Turn:
    """Return the caller, and whether the record is urgent (decision 0022)."""
    type_ = caller = b""
    for name, value in record.headers:
        if name == "ce_caller":
            caller = value
        elif name == "ce_type":
            type_ = value
    source = caller.decode("utf-8", "replace") or UNKNOWN_CALLER
    return Turn(source, is_urgent=type_.startswith(_URGENT) or person_of(source) is not None)
