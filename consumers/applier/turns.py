"""The order of the records of `commands` in the worker, from their headers alone. Pure."""

from typing import Final

from consumers.applier.task import UNKNOWN_CALLER
from consumers.engine import Passing, Record, Turn
from schemas.callers import person_of
from schemas.commands import LowerVersionFloor, RecordRead
from schemas.enums import PREFIX

_PASSING: Final = {
    ("ce_type", LowerVersionFloor.TYPE.encode()): Passing.ENDS_WAIT,  # it may be what the command waits for
    ("ce_type", RecordRead.TYPE.encode()): Passing.KEEPS_WAIT,  # a read changes nothing, so it needs no order
}
_URGENT: Final = (f"{PREFIX}handoff.".encode(), f"{PREFIX}command.".encode())


def passing_of(record: Record) -> Passing:
    """Return whether a record is processed before a command that waits."""
    return next((_PASSING[header] for header in record.headers if header in _PASSING), Passing.NO)


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
