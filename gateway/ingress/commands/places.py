"""A place for each record that a caller's request appends to `commands` (decision 0023): taken before the append."""

import math
import time

from gateway.ingress.api_http.api_problems import TooManyUnfinished
from gateway.ingress.commands.unfinished import PlaceKind, UnfinishedCommands
from runtime.metrics import IngressMetrics

_COMMAND = "The command was not accepted, because too many of your earlier commands have not ended."
_RECORD = "Nothing was done, because too many of your earlier links, reads and decisions are not on record yet."


class CallerPlaces:
    """The places of all callers at this process."""

    def __init__(self, unfinished: UnfinishedCommands, metrics: IngressMetrics) -> None:
        self._unfinished = unfinished
        self._metrics = metrics

    def take(self, record_id: str, caller: str, partition: int, kind: PlaceKind) -> None:
        """Count a command or a record until its event. Raises TooManyUnfinished."""
        now = time.monotonic()
        if self._unfinished.take(record_id, caller, partition, now, kind):
            return
        self._metrics.shed.labels("unfinished").inc()
        wait = self._unfinished.wait_for_place(caller, partition, now, kind)
        detail = _RECORD if kind is PlaceKind.RECORD else _COMMAND
        raise TooManyUnfinished(f"{detail} Send it again in {math.ceil(wait)} s.", retry_after_seconds=wait)

    def give_back(self, record_id: str) -> None:
        """Free the place of what was not appended, if it has one."""
        self._unfinished.give_back(record_id)
