"""The handoffs that opened in the last minute, as `events` tells them: a live read must not be older.

The caller whose request opened a handoff has seen its outcome, so no answer may say that none is open.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.enums import EventType
from schemas.events import HandoffOpened
from schemas.records import PublishedEvent, TopicRecord, read_event

_OPENED: Final = EventType.HANDOFF_OPENED.encode()
MOST: Final = 10_000
KEPT: Final = timedelta(minutes=1)


class Opening(NamedTuple):
    """When this process saw the event of an opening, and the version of the authorization that showed it, if known."""

    seen_at: datetime
    version: int | None


class Openings:
    """The last opening of each authorization. `now` returns the time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last: OrderedDict[str, tuple[datetime, TopicRecord]] = OrderedDict()

    def on_record(self, record: TopicRecord) -> None:
        """Keep the record of an opening; others are ignored."""
        if record.key is None or next((value for name, value in record.headers if name == "ce_type"), b"") != _OPENED:
            return
        now, authorization_id = self._now(), record.key.decode("utf-8", "replace")
        self._last[authorization_id] = now, record
        self._last.move_to_end(authorization_id)
        while len(self._last) > MOST or next(iter(self._last.values()))[0] < now - KEPT:
            self._last.popitem(last=False)

    def last(self, authorization_id: str) -> Opening | None:
        """Return the authorization's opening of the last minute, if there is one."""
        seen_at, record = self._last.get(authorization_id, (None, None))
        if seen_at is None or record is None or seen_at < self._now() - KEPT:
            return None
        event = read_event(record.headers, record.value)
        opened = event.data if isinstance(event, PublishedEvent) else None
        return Opening(seen_at, opened.version if isinstance(opened, HandoffOpened) else None)
