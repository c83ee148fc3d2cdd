"""Tells people by chat or mail that work waits or that a handoff is at risk, for when no console is open.

    python notifier.py 8000 secret.txt sent.db       # needs the Python client

A webhook receiver for authorization.action_required and handoff.at_risk, with `max_in_flight = 1`. Its environment:
CONSOLE_URL; CHAT_WEBHOOK, a chat's incoming webhook, or SMTP_SERVER (host:port) with MAIL_FROM and MAIL_TO, or both.
A message has ids and the console's address: no data of a patient, and no link into a session.
"""

import json
import os
import smtplib
import sqlite3
import ssl
import sys
import urllib.request
from contextlib import closing
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from collate_gateway_client import Event, WebhookRefused, webhook_event

SECONDS = 5  # the deliverer waits 15 s for the answer
CONSOLE_URL = os.environ["CONSOLE_URL"]


def message_of(event: Event) -> str | None:
    """Return the message of an event; None for other types."""
    what = {
        "collate-gateway.authorization.action_required.v1": "{0} waits for a person: {1[action]}.",
        "collate-gateway.handoff.at_risk.v1": "Handoff {1[handoffId]} of {0} is at risk: {1[reason]}.",
    }.get(event.type)
    return what and f"{what.format(event.authorization_id, event.data)} Console: {CONSOLE_URL}"


def to_chat(text: str) -> None:
    """Send a message to the chat. Raises OSError."""
    body, kind = json.dumps({"text": text}).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(os.environ["CHAT_WEBHOOK"], body, kind)  # noqa: S310 - the operator's own address
    urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310 - as above


def to_mail(text: str) -> None:
    """Send a message by mail. Raises OSError."""
    message = EmailMessage()
    message["From"], message["To"] = os.environ["MAIL_FROM"], os.environ["MAIL_TO"]
    message["Subject"] = text.partition(":")[0]
    message.set_content(text)
    with smtplib.SMTP(os.environ["SMTP_SERVER"], timeout=SECONDS) as server:
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        server.send_message(message)


class Handler(BaseHTTPRequestHandler):
    """Answers 2xx when each message of an event is sent. Otherwise the deliverer sends the event again."""

    timeout = SECONDS

    def do_POST(self) -> None:
        """Take an event. A message that was sent is in the table; a crash before its commit sends it again."""
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), 1_000_000))
        try:
            event = webhook_event(Path(sys.argv[2]).read_text(encoding="utf-8"), dict(self.headers), body)
            text = message_of(event) or ""
            for way, send in WAYS.items() if text else ():
                with closing(sqlite3.connect(sys.argv[3])) as sent, sent:
                    sent.execute("create table if not exists sent (id, way, primary key (id, way))")
                    if sent.execute("insert or ignore into sent values (?, ?)", (event.id, way)).rowcount:
                        send(text)
            self.send_response(204)
        except (WebhookRefused, OSError) as failure:  # an OSError is also that of a mail or a chat
            print(f"not sent: {type(failure).__name__}", flush=True)
            self.send_response(401 if isinstance(failure, WebhookRefused) else 500)
        self.end_headers()


WAYS = {name: send for name, send in (("CHAT_WEBHOOK", to_chat), ("SMTP_SERVER", to_mail)) if name in os.environ}
if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever() if WAYS else sys.exit("no way to send is set")
