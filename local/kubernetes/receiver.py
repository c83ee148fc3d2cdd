"""A receiver of the deliverer's webhooks: it checks each signature, and records the events in the order of arrival."""

import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.judge.deliveries import Numbered, compare
from local.subscriptions import new_secret, subscription_toml

NAME: Final = "receiver"
_ACCEPTED, _REFUSED = 204, 401
_POLL_SECONDS: Final = 0.02  # until the server sees that it has to end


class WebhookReceiver:
    """One HTTP server. `accepted` has the authorization and the number of each event, also of repeated ones."""

    def __init__(self, host: str) -> None:
        self.host, self.port = host, 0
        self.secret = new_secret()
        self._webhook = Webhook(self.secret)
        self.accepted: list[Numbered] = []
        self.refused = 0
        self._server: ThreadingHTTPServer | None = None

    def subscription(self, secret_file: str) -> str:
        """Return the subscriptions file for this receiver alone."""
        url = f"http://{self.host}:{self.port}/"
        return subscription_toml(NAME, url, [secret_file], allowed_networks=[f"{self.host}/32"])

    def start(self) -> None:
        """Listen on a free port."""
        self._server = ThreadingHTTPServer((self.host, self.port), _handler_of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def receive(self, body: bytes, headers: dict[str, str]) -> bool:
        """Record an event if its signature is right; return whether it is."""
        try:
            event = self._webhook.verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return False
        self.accepted.append((event["subject"], int(event["sequence"])))
        return True

    def broken(self, sent: Iterable[Numbered]) -> list[str]:
        """Compare what was accepted with the events that were sent; return what is lost or out of order."""
        found = compare(self.accepted, sent)
        return [
            *(f"the receiver did not get event {number} of {authorization}" for authorization, number in found.lost),
            *(
                f"the receiver got events out of order: {authorization}: {after} after {before}"
                for authorization, before, after in found.out_of_order
            ),
            *([f"{self.refused} webhooks had a wrong signature"] if self.refused else []),
        ]


def _handler_of(receiver: WebhookReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            is_right = receiver.receive(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(_ACCEPTED if is_right else _REFUSED)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
