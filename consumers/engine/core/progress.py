"""Where a partition resumes: its progress record in `state`, the group's copy of it, and what each of them proves.

Pure. Owns the format of the record and of the copy. A finished offset stays finished: the record and a copy in the old
form were each committed together with the outputs of what they call finished. docs/decisions/0009-progress-in-state.md
has the reasons.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final, NamedTuple

from consumers.engine.core.offset_tracker import Committed, MetadataUnreadable, OffsetTracker

# Reserved keys of the `state` topic: no state has them. The start of a partition writes a record with the marker's key,
# and reads up to it. The progress has a key of its own: compaction would replace it by an empty marker.
MARKER_KEY: Final = b"\x00engine"
PROGRESS_KEY: Final = b"\x00progress"
RESERVED_KEYS: Final = (MARKER_KEY, PROGRESS_KEY)
IN_STATE: Final = "in state:1"  # no base85: an earlier release stops at it instead of repeating work
# Earlier releases read bitmaps up to this size; it also keeps the metadata below the broker's limit of 4,096.
OLD_FORM_OFFSETS: Final = 10_000
_VERSION: Final = 1


class CopyForm(StrEnum):
    """The form of the group's copy. The values are those of the setting."""

    OLD = "old"  # offset and bitmap, in each transaction that finishes input; earlier releases read it
    NEW = "new"  # the offset alone, outside the transactions


class ProgressUnreadable(ValueError):
    """The progress record is in another format."""


class KnownProgress(NamedTuple):
    """What is known to be finished, None for nothing, and the problem that an operator has to accept first."""

    progress: Committed | None
    problem: str | None = None


class Resumption(NamedTuple):
    """Where to resume, and the problem that an operator has to accept first."""

    progress: Committed
    problem: str | None = None


def encode(progress: Committed) -> bytes:
    """Return the value of the progress record."""
    value = {"v": _VERSION, "offset": progress.offset, "bitmap": progress.metadata}
    return json.dumps(value, separators=(",", ":")).encode()


def decode(value: bytes) -> Committed:
    """Read a progress record.

    Raises:
        ProgressUnreadable: its version is unknown, or it is no progress record.
    """
    try:
        match json.loads(value):
            case {"v": 1, "offset": int(offset), "bitmap": str(bitmap)} if offset >= 0:
                OffsetTracker(offset, bitmap)
                return Committed(offset, bitmap)
    except (ValueError, RecursionError) as error:
        raise ProgressUnreadable from error
    raise ProgressUnreadable


def copy_of(progress: Committed, form: CopyForm) -> Committed:
    """Return the group's copy. A bitmap that is too large for the old form gets the new one."""
    if form is CopyForm.OLD and OffsetTracker(*progress).size <= OLD_FORM_OFFSETS:
        return progress
    return Committed(progress.offset, IN_STATE)


def combine(record: bytes | None, copy: Committed | None, *, has_states: bool) -> KnownProgress:
    """Combine the value of the progress record, the group's copy, and whether a key has a state."""
    try:
        recorded = decode(record) if record is not None else None
    except ProgressUnreadable:
        return _doubtful(_finished_by(copy), _UNKNOWN_RECORD)
    if copy is None:
        is_lost = recorded is None and has_states
        return _doubtful(None, _NO_OFFSET) if is_lost else KnownProgress(recorded)
    copied = _finished_by(copy)
    if copied is None:
        return _doubtful(recorded or Committed(copy.offset, ""), _FOREIGN_COPY)
    if recorded is None:
        return _doubtful(copied, _NO_RECORD) if copy.metadata == IN_STATE else KnownProgress(copied)
    both = OffsetTracker(*recorded)
    both.merge(OffsetTracker(*copied))
    if copy.metadata == IN_STATE and copy.offset > recorded.offset:
        return _doubtful(both.committed(), _COPY_AHEAD.format(copy=copy.offset, record=recorded.offset))
    return KnownProgress(both.committed())


def within_log(known: KnownProgress, begin: int, end: int) -> Resumption:
    """Return where to resume in a log with these offsets of the first record and after the last."""
    if known.progress is None:
        return Resumption(Committed(begin, ""), known.problem)
    offset = known.progress.offset
    if offset > end:
        problem = (
            f"the committed offset {offset} is beyond the log's end {end}: the topic was created again. "
            f"Resuming continues at {begin}"
        )
        return Resumption(Committed(begin, ""), known.problem or problem)
    if offset >= begin:
        return Resumption(known.progress, known.problem)
    problem = (
        f"the committed offset {offset} is older than the log, which begins at {begin}: retention has deleted "
        f"{begin - offset} offsets, with records that were never processed. Resuming continues at {begin}"
    )
    tracker = OffsetTracker(*known.progress)
    tracker.skip_to(begin)
    return Resumption(tracker.committed(), known.problem or problem)


def _doubtful(progress: Committed | None, problem: str) -> KnownProgress:
    place = "the begin of the log" if progress is None else str(progress.offset)
    return KnownProgress(progress, f"{problem}. Resuming continues at {place}")


def _finished_by(copy: Committed | None) -> Committed | None:
    """Return what the copy calls finished; None if another program wrote it, or there is none."""
    if copy is None:
        return None
    if copy.metadata == IN_STATE:
        return Committed(copy.offset, "")
    try:
        OffsetTracker(*copy)
    except MetadataUnreadable:
        return None
    return copy


_NOTHING: Final = (
    "neither the group nor the state topic knows what is finished, although earlier work was published: the state "
    "topic and the group's offsets were lost. Resuming processes every record that the topic still holds once more, "
    "without the states"
)
NOTHING_KNOWN: Final = KnownProgress(None)
STATE_LOST: Final = _doubtful(None, _NOTHING)
_NO_OFFSET: Final = (
    "the group has no committed offset, and the state topic holds states but no progress record: the offsets expired "
    "or were deleted under an earlier release. Resuming processes every record that the topic still holds once more"
)
_NO_RECORD: Final = (
    "the group's copy says that the progress is in the state topic, which has no progress record: the state topic was "
    "lost. Resuming keeps only the states that are left"
)
_COPY_AHEAD: Final = (
    "the group's copy of the progress is at {copy}, the progress record in the state topic only at {record}: the end "
    "of the state topic was lost, or another program moved the group's offset. Resuming keeps only the states that are "
    "left"
)
_UNKNOWN_RECORD: Final = (
    "the progress record in the state topic is in an unknown format: a newer release or another program wrote it. "
    "Deploy the newer release again. Resuming processes once more the records that the group's copy does not cover"
)
_FOREIGN_COPY: Final = (
    "the committed offset's metadata is not of this engine (base85 of zlib, empty, or `in state:1`). Another program "
    "has committed offsets for this group: stop it. Resuming ignores what that program committed as metadata"
)
