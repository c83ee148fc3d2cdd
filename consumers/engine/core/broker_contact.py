"""When the brokers last answered this process: the measured sign of life behind readiness and `kafka_away`.

aiokafka reports nothing when a broker dies: `getmany` returns no records, as it does for an idle topic. So this object
collects proofs: an answered heartbeat, and the fetches of each partition, also the empty ones. Pure: `now` (steady
seconds) is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class BrokerContact:
    """The last answers of the brokers. `longest_seconds` is the longest silence of brokers that respond."""

    def __init__(self, longest_seconds: float, now: float) -> None:
        self.longest_seconds = longest_seconds
        self._answered_at = now
        self._fetch_answered_at = now
        self._fetched_at: dict[int, float] = {}

    def answered(self, now: float) -> None:
        """Note an answer of the group's coordinator, or another answer that proves that Kafka works."""
        self._answered_at = max(self._answered_at, now)

    def fetching(self, ages: Mapping[int, float | None], now: float) -> None:
        """Note the partitions that are being fetched now, each with the age of its last fetch, None if unknown.

        A partition that was paused has an old fetch: its silence counts from this call. That is no answer of a broker.
        """
        answered = [now - age for age in ages.values() if age is not None]
        self._fetch_answered_at = max(self._fetch_answered_at, *answered, 0.0)
        self._fetched_at = {
            number: max(self._fetched_at.get(number, now), now - age if age is not None else 0.0)
            for number, age in ages.items()
        }

    def silent_seconds(self, now: float) -> float:
        """Return the seconds since the last answer of any kind."""
        return now - max(self._answered_at, self._fetch_answered_at)

    def problem(self, now: float) -> str:
        """Return what does not answer, and for how long; an empty text while the brokers answer."""
        silent = self.silent_seconds(now)
        if silent > self.longest_seconds:
            return f"no broker has answered for {silent:.0f} s"
        unconfirmed = now - self._answered_at
        if unconfirmed > self.longest_seconds:
            return f"the group's coordinator has answered no heartbeat for {unconfirmed:.0f} s"
        stale = [number for number, at in sorted(self._fetched_at.items()) if now - at > self.longest_seconds]
        if stale:
            oldest = max(now - self._fetched_at[number] for number in stale)
            return f"the leader of partition {', '.join(map(str, stale))} has answered no fetch for {oldest:.0f} s"
        return ""

    def is_away(self, now: float) -> bool:
        """Return whether no broker answers."""
        return self.silent_seconds(now) > self.longest_seconds
