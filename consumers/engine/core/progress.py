"""Where a partition resumes: its progress record in `state`, checked against the group's copy and the topic's id.

Pure. Owns the format of the record. A finished offset stays finished: the record was committed together with the
outputs of what it calls finished. The copy is an offset, and never ahead of the record. An offset means nothing in
another topic of the same name. docs/decisions/0001-transactions.md and 0027-torn-transactions.md have the reasons.
"""

from __future__ import annotations

import json
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from consumers.engine.core.offset_tracker import Committed, OffsetTracker

if TYPE_CHECKING:
    from collections.abc import Mapping

# Reserved keys of the `state` topic: no state has them. The start of a partition writes a record with the marker's key,
# and reads up to it. The progress has a key of its own: compaction would replace it by an empty marker. The handler's
# key is for a record that any of its processes may write and read beside the engine, which skips it.
MARKER_KEY: Final = b"\x00engine"
PROGRESS_KEY: Final = b"\x00progress"
HANDLER_KEY: Final = b"\x00handler"
RESERVED_KEYS: Final = (MARKER_KEY, PROGRESS_KEY, HANDLER_KEY)
_VERSION: Final = 2  # builds before the first release wrote 1: their timers are in another header


class ProgressUnreadable(ValueError):
    """The progress record is in another format."""


class ProgressRecord(NamedTuple):
    """The progress in one topic.

    Attributes:
        topic: the topic's id.
        second_source_at: as in `FailureRatioLimit`.
        number: of the transaction that wrote the record; 0 in a record of an older release or of a rebuild.
        parts: by topic of the engine, an offset after the last transaction but one and not after this one, how many
            records this one has written there, and how many of them compaction cannot remove: those with a value.
    """

    progress: Committed
    topic: str
    second_source_at: int | None = None
    number: int = 0
    parts: Mapping[str, tuple[int, int, int]] = MappingProxyType({})


_NO_READABLE_RECORD: Final = ProgressRecord(Committed(-1, ""), "")


class GroupCopy(NamedTuple):
    """The group's committed offset. `topic` is its metadata: the topic's id, empty if another program committed it."""

    offset: int
    topic: str

    def is_of(self, topic: str) -> bool:
        """Whether the offset is one of this topic, or of no known one."""
        return self.topic in {topic, ""}


class KnownProgress(NamedTuple):
    """What is known to be finished, None for nothing, and the problem that an operator has to accept first."""

    progress: Committed | None
    problem: str | None = None


class Resumption(NamedTuple):
    """Where to resume, and the problem that an operator has to accept first."""

    progress: Committed
    problem: str | None = None


def encode(progress: Committed, topic: str, second_source_at: float | None = None, **numbered: object) -> bytes:
    """Return the value of the progress record; `numbered` is its number with its parts."""
    value = {"v": _VERSION, "offset": progress.offset, "bitmap": progress.bitmap, "topic": topic} | numbered
    if second_source_at is not None:
        value["second_source_at"] = int(second_source_at)
    return json.dumps(value, separators=(",", ":")).encode()


def decode(value: bytes) -> ProgressRecord:
    """Read a progress record.

    Raises:
        ProgressUnreadable: its version is unknown, or it is no progress record.
    """
    try:
        match json.loads(value):
            case {"v": 2, "offset": int(offset), "bitmap": str(bitmap), "topic": str(topic), **rest} if offset >= 0:
                OffsetTracker(offset, bitmap)
                second = rest.get("second_source_at")
                second = second if isinstance(second, int) else None
                numbered: tuple[Any, Any] = rest.get("number", 0), rest.get("parts", {})
                return ProgressRecord(Committed(offset, bitmap), topic, second, *numbered)
    except (ValueError, RecursionError) as error:
        raise ProgressUnreadable from error
    raise ProgressUnreadable


def readable(value: bytes | None) -> ProgressRecord:
    """Read a progress record; one that no partition has, if there is none in this format."""
    with suppress(ProgressUnreadable):
        return decode(value or b"")
    return _NO_READABLE_RECORD


def combine(record: bytes | None, copy: GroupCopy | None, *, topic: str, has_states: bool) -> KnownProgress:
    """Combine the value of the progress record, the group's copy, the topic's id, and whether a key has a state."""
    copied = copy.offset if copy is not None and copy.is_of(topic) else None
    if record is None:
        if copied is not None:
            return _doubtful(Committed(copied, ""), _NO_RECORD)
        return PROGRESS_LOST if has_states else NOTHING_KNOWN
    try:
        recorded, recorded_topic, *_ = decode(record)
    except ProgressUnreadable:
        return _doubtful(None if copied is None else Committed(copied, ""), _UNKNOWN_RECORD)
    if recorded_topic != topic:
        return _doubtful(None, _OTHER_TOPIC.format(record=recorded_topic, found=topic))
    if copied is None or copied <= recorded.offset:
        return KnownProgress(recorded)
    tracker = OffsetTracker(*recorded)
    tracker.skip_to(copied)
    return _doubtful(tracker.committed(), _COPY_AHEAD.format(copy=copied, record=recorded.offset))


def within_log(known: KnownProgress, begin: int, end: int) -> Resumption:
    """Return where to resume in a log with these offsets of the first record and after the last."""
    if known.progress is None:
        return Resumption(Committed(begin, ""), known.problem)
    offset = known.progress.offset
    if offset > end:
        problem = (
            f"the committed offset {offset} is beyond the log's end {end}: the end of the topic was lost, or the topic "
            f"was created again. Resuming continues at {begin}"
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


_NOTHING: Final = (
    "neither the state topic nor the group has the progress, although earlier work was published: the state topic and "
    "the group's offsets were lost. Resuming processes every record that the topic still holds once more, with the "
    "states that are left"
)
NOTHING_KNOWN: Final = KnownProgress(None)
PROGRESS_LOST: Final = _doubtful(None, _NOTHING)
_NO_RECORD: Final = (
    "the group has a copy of the progress, and the state topic has no progress record: the state topic was lost. "
    "Resuming keeps only the states that are left"
)
_COPY_AHEAD: Final = (
    "the group's copy of the progress is at {copy}, the progress record in the state topic only at {record}: the end "
    "of the state topic was lost, or another program moved the group's offset. Resuming keeps only the states that are "
    "left"
)
_OTHER_TOPIC: Final = (
    "the progress record in the state topic names the topic's id {record}, and the topic has the id {found} now: it "
    "was created again, or this is another cluster. Resuming keeps the states, and processes every record that the "
    "topic holds"
)
_UNKNOWN_RECORD: Final = (
    "the progress record in the state topic is in an unknown format: another release wrote it. Deploy that release "
    "again. If it was a build before the first release, begin again under a new topics.prefix. Resuming processes once "
    "more the records that the group's copy does not cover"
)
