# Made by `make docs` from asynchronous/batches.py; don't edit.
"""Sends many CloudEvents in batches, at the pace at which their commands end.

A batch is sent when it fits into the window: half of the caller's bound of unfinished commands. The caller's other
commands find a place in the other half. An event with 408, 429 or a status from 500 on is sent again after its
Retry-After; every other result is final.
"""

import time
from collections.abc import Iterable, Iterator

from collate_gateway_client import models, operations
from collate_gateway_client.batching import (
    LONGEST_PAUSE_SECONDS,
    LONGEST_WAIT_SECONDS,
    SHORTEST_PAUSE_SECONDS,
    Event,
    batches_of,
    pause_before,
)
from collate_gateway_client.calls import batch
from collate_gateway_client.errors import GatewayProblem, NotAnswered
from collate_gateway_client.synchronous.sender import Sender


class Batches:
    """The method that sends many events."""

    _sender: Sender

    def send_events(self, events: Iterable[Event], *, give_up_after: float = 600.0) -> Iterator[models.BatchedCommand]:
        """Send CloudEvents; yield the final result of each, in order. `index` is its place among all events.

        Raises NotAnswered, or the last GatewayProblem, after `give_up_after` seconds in which no event was accepted
        and no command ended. Send the same events again: `source` and `id` are the key of each.
        """
        limits = (self._sender.send(operations.read_me())).body["limits"]
        paced = Pace(self._sender, limits["unfinishedCommands"] // 2 or 1, give_up_after)
        index = 0
        for part in batches_of(events, paced.window):
            for result in paced.results(part):
                yield {**result, "index": index}
                index += 1


class Pace:
    """Sends one batch at a time, and knows the caller's unfinished commands since the last answer."""

    def __init__(self, sender: Sender, window: int, give_up_after: float) -> None:
        self.window = window
        self._sender = sender
        self._give_up_after = give_up_after
        self._unfinished, self._ended_per_second = 0, 0.0

    def results(self, events: list[Event]) -> list[models.BatchedCommand]:
        """Return the final result of each event."""
        final: dict[int, models.BatchedCommand] = {}
        success_at, pause = time.monotonic(), SHORTEST_PAUSE_SECONDS
        left = list(range(len(events)))
        while left:
            self._wait_for_window(len(left))
            results = self._send([events[place] for place in left])
            refused = {
                place: result for place, result in zip(left, results, strict=True) if _is_sent_again(result["status"])
            }
            final |= {place: result for place, result in zip(left, results, strict=True) if place not in refused}
            if len(refused) < len(left):
                success_at, pause = time.monotonic(), SHORTEST_PAUSE_SECONDS
            left = list(refused)
            if left:
                last = refused[left[-1]]
                wait = max(pause, *(result.get("retryAfter", 0) for result in refused.values()))
                if time.monotonic() - success_at > self._give_up_after or wait > LONGEST_WAIT_SECONDS:
                    raise GatewayProblem(last["status"], last["problem"], {})
                time.sleep(wait)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return [final[place] for place in range(len(events))]

    def _wait_for_window(self, count: int) -> None:
        """Wait until so many more commands fit into the window. An empty batch asks how many are unfinished."""
        least, ended_at = self._unfinished, time.monotonic()
        while pause := pause_before(self._unfinished + count - self.window, self._ended_per_second):
            if time.monotonic() - ended_at > self._give_up_after:
                raise NotAnswered("none of the commands that were accepted has ended")
            time.sleep(pause)
            self._send([])
            if self._unfinished < least:
                least, ended_at = self._unfinished, time.monotonic()

    def _send(self, events: list[Event]) -> list[models.BatchedCommand]:
        answer = (self._sender.send(batch(events))).body
        if len(answer["results"]) != len(events):
            raise NotAnswered("the answer has not one result for each event")
        self._unfinished, self._ended_per_second = answer["unfinished"], answer["endedPerSecond"]
        return answer["results"]


def _is_sent_again(status: int) -> bool:
    return status in {408, 429} or status >= 500
