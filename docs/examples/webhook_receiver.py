"""A webhook receiver: verifies the signature, stores each event once, then answers. `make dev` runs it.

python webhook_receiver.py 8000 secret.txt events.db    # needs the Python client
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from collate_gateway_client import Event, WebhookRefused, webhook_event

MOST_BYTES = 1_000_000
# Number 1 with a new id begins a new life of the authorization: earlier rows say nothing about what is missing in it.
BEFORE = """
    select max(sequence) from events where subject = :subject and sequence < :sequence
    and rowid >= coalesce((select max(rowid) from events where subject = :subject and sequence = 1), 0)
"""


class Store:
    """Events by id. An event that came before is no error: the gateway repeats what it is not sure of."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._open() as database:
            database.execute("create table if not exists events (id text primary key, subject, sequence int, event)")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A connection's own `with` ends the transaction only.
        with closing(sqlite3.connect(self._path, timeout=5)) as database, database:
            yield database

    def add(self, event: Event) -> tuple[bool, bool]:
        """Store the event; return whether it is new, and whether the event before it is missing."""
        whole = json.dumps(event.attributes | {"data": event.data})
        row = event.id, event.authorization_id, event.sequence, whole
        with self._open() as database:
            added = database.execute("insert or ignore into events values (?, ?, ?, ?)", row).rowcount
            before = database.execute(BEFORE, {"subject": row[1], "sequence": row[2]}).fetchone()[0]
        return bool(added), before is not None and before < row[2] - 1


def handler_of(secret: str, store: Store) -> type[BaseHTTPRequestHandler]:
    """Return the handler of requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            if size > MOST_BYTES:
                self._answer(413)
                return
            body = self.rfile.read(size)
            try:
                # The bytes as they came: parsing and writing them again would change them.
                event = webhook_event(secret, dict(self.headers), body)
            except WebhookRefused as refused:
                print("refused:", refused, flush=True)
                self._answer(401)
                return
            is_new, has_gap = store.add(event)
            words = "new" if is_new else "again", "after a gap" if has_gap else ""
            print(event.type, event.authorization_id, event.sequence, *words, flush=True)
            self._answer(204)  # only now: the event is stored

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print events only."""

    return Handler


def main() -> None:
    """Serve until Ctrl-C."""
    port, secret_file, database = sys.argv[1:]
    secret = Path(secret_file).read_text(encoding="utf-8").strip()
    ThreadingHTTPServer(("127.0.0.1", int(port)), handler_of(secret, Store(database))).serve_forever()


if __name__ == "__main__":
    main()
