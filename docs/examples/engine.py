"""Keep the balance of each account, in order and exactly once.

    python docs/examples/engine.py localhost:9092 shop. pod-0

Reads `<prefix>payments` (key: account; value: cents) and writes each new balance to `<prefix>balances`. docs/engine.md
has the promises and the limits.
"""

import asyncio
import signal
import sys

from prometheus_client import CollectorRegistry

from consumers.engine import Done, Invocation, Output, Record
from consumers.engine.engine import Engine
from consumers.engine.settings import EngineSettings
from runtime.metrics import EngineMetrics


class Balances:
    """The state of a key is its balance in cents."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    async def on_record(self, invocation: Invocation, record: Record) -> Done:
        """Add one payment; refuse what is no number."""
        if not record.value.isdigit():  # an exception would be retried, and would hold this account's later payments
            return Done((Output(f"{self.prefix}refused", record.key, record.value),))
        balance = b"%d" % (int(invocation.state or 0) + int(record.value))
        return Done((Output(f"{self.prefix}balances", record.key, balance),), state=balance)

    async def on_timer(self, _: Invocation) -> Done:
        """Do nothing."""
        return Done()  # no result above sets `timer_at`


async def main(bootstrap: str, prefix: str, member: str) -> None:
    """Run until SIGTERM. `member` is this process's own name: a restart under it continues at once."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = EngineSettings(
        topic=f"{prefix}payments",
        state_topic=f"{prefix}payments-state",
        partitions=4,
        group=f"{prefix}balances",
        client=lambda: {"bootstrap_servers": bootstrap},
        member=member,
    )
    await Engine(settings, Balances(prefix), EngineMetrics(CollectorRegistry())).run(stop)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
