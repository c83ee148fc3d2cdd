"""The receiver of docs/examples behind a real deliverer."""

import sqlite3
import sys
from pathlib import Path

from local.processes.ports import free_ports

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "webhook_receiver.py"


async def test_the_example_stores_each_event_once_and_in_order(webhooks, events, run, eventually):
    (port,) = free_ports(1)
    database, log = run.directory / "events.db", run.directory / "receiver.log"
    run.spawn([sys.executable, EXAMPLE, str(port), webhooks.secret_file("billing"), database], log=log)
    webhooks.subscribe("billing", f"http://127.0.0.1:{port}/")
    await webhooks.start()
    for number in range(12):
        await events.write(f"auth_{number % 3}")

    def stored():
        if not database.exists():
            return []
        with sqlite3.connect(database) as opened:
            return list(opened.execute("select subject, sequence from events order by rowid"))

    await eventually(lambda: len(stored()) == 12)
    for authorization in ("auth_0", "auth_1", "auth_2"):
        assert [number for subject, number in stored() if subject == authorization] == [1, 2, 3, 4]
    assert "after a gap" not in log.read_text()
