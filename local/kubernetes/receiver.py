"""A receiver of the deliverer's webhooks: it checks each signature, and records the events in the order of arrival."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from schemas.fields.signing_secret import WRITTEN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = "receiver"
_ACCEPTED, _REFUSED = 204, 401
_SECRET_BYTES: Final = 32


class WebhookReceiver:
    """One HTTP server. `accepted` has the authorization and the number of each event, repeated ones too."""

    def __init__(self, host: str) -> None:
        self.host, self.port = host, 0
        self._key = secrets.token_bytes(_SECRET_BYTES)
        self.accepted: list[tuple[str, int]] = []
        self.refused = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def secret(self) -> str:
        """The signing secret, as the deliverer's file has it."""
        return f"{WRITTEN_PREFIX}{base64.b64encode(self._key).decode()}"

    def subscription(self, secret_file: str) -> str:
        """Return the subscriptions file for this receiver alone."""
        return (
            f'[[subscription]]\nname = "{NAME}"\nurl = "http://{self.host}:{self.port}/"\n'
            f'since = 2026-01-01T00:00:00Z\nsecret_files = ["{secret_file}"]\n'
            f'allow_plain_http = true\nallowed_networks = ["{self.host}/32"]\n'
        )

    def start(self) -> None:
        """Listen on a free port."""
        self._server = ThreadingHTTPServer((self.host, self.port), _handler_of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def receive(self, body: bytes, *, message_id: str, timestamp: str, signatures: str) -> bool:
        """Record an event if its signature is right; return whether it is."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        right = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        if not any(hmac.compare_digest(f"v1,{right}", one) for one in signatures.split(" ")):
            self.refused += 1
            return False
        event = json.loads(body)
        self.accepted.append((event["subject"], int(event["sequence"])))
        return True

    def broken(self, sent: Iterable[tuple[str, int]]) -> list[str]:
        """Compare what was accepted with the events that were sent; return what is lost or out of order."""
        first = list(dict.fromkeys(self.accepted))
        lost = sorted(set(sent).difference(first))
        numbers: dict[str, list[int]] = {}
        for authorization, number in first:
            numbers.setdefault(authorization, []).append(number)
        unordered = [
            f"{authorization}: {after} after {before}"
            for authorization, order in numbers.items()
            for before, after in itertools.pairwise(order)
            if after < before
        ]
        return [
            *(f"the receiver did not get event {number} of {authorization}" for authorization, number in lost),
            *(f"the receiver got events out of order: {one}" for one in unordered),
            *([f"{self.refused} webhooks had a wrong signature"] if self.refused else []),
        ]


def _handler_of(receiver: WebhookReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            is_right = receiver.receive(
                body,
                message_id=self.headers.get("webhook-id", ""),
                timestamp=self.headers.get("webhook-timestamp", ""),
                signatures=self.headers.get("webhook-signature", ""),
            )
            self.send_response(_ACCEPTED if is_right else _REFUSED)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
