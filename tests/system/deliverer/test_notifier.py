"""The notifier of docs/examples behind a real deliverer, with a chat and a mail server on sockets."""

import asyncio
import json
import os
import sys
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from local.processes.ports import free_ports
from schemas.events import AuthorizationActionRequired, HandoffAtRisk

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "notifier.py"
CONSOLE = "https://console.example"


def example_of(event):
    return event.from_record(json.dumps(event.EXAMPLE).encode())


class Sinks:
    """A chat's incoming webhook and a mail server. The mail server refuses the first `refusals` messages."""

    def __init__(self):
        self.texts, self.mails, self.refusals, self.refused = [], [], 0, 0

    async def chat(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        self.texts.append(json.loads(body)["text"])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def mail(self, reader, writer):
        writer.write(b"220 mail.example\r\n")
        while line := await reader.readline():
            match line.split()[0].upper():
                case b"MAIL" if self.refused < self.refusals:
                    self.refused += 1
                    writer.write(b"451 later\r\n")
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    content = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                    self.mails.append(message_from_bytes(content, policy=policy.default))
                    writer.write(b"250 taken\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 mail.example\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture
async def sinks():
    found = Sinks()
    async with (
        await asyncio.start_server(found.chat, "127.0.0.1", 0) as chat,
        await asyncio.start_server(found.mail, "127.0.0.1", 0) as mail,
    ):
        found.ports = [server.sockets[0].getsockname()[1] for server in (chat, mail)]
        yield found


@pytest.fixture
def notifier(webhooks, run, sinks):
    """Start the notifier for the subscription `staff`; return its port and its log."""
    (port,) = free_ports(1)
    environ = {
        "CONSOLE_URL": CONSOLE,
        "CHAT_WEBHOOK": f"http://127.0.0.1:{sinks.ports[0]}/T0/secret",
        "SMTP_SERVER": f"127.0.0.1:{sinks.ports[1]}",
        "MAIL_FROM": "gateway@clinic.example",
        "MAIL_TO": "staff@clinic.example",
        "PATH": os.environ["PATH"],
    }
    log, sent = run.directory / "notifier.log", run.directory / "sent.db"
    run.spawn([sys.executable, EXAMPLE, str(port), webhooks.secret_file("staff"), sent], log=log, environ=environ)
    return port, log


async def test_work_and_risk_become_one_chat_message_and_one_mail_each(webhooks, events, sinks, notifier, eventually):
    port, log = notifier
    sinks.refusals = 2
    webhooks.subscribe("staff", f"http://127.0.0.1:{port}/", max_in_flight=1)
    await webhooks.start()
    await events.write("auth_1", example_of(AuthorizationActionRequired))
    await events.write("auth_1")  # handoff.opened is no message
    await events.write("auth_2", example_of(HandoffAtRisk))
    await events.write("auth_2", example_of(AuthorizationActionRequired))
    await eventually(lambda: len(sinks.mails) == 3)

    expected = [
        f"Handoff mhand_55 of auth_2 is at risk: grant_expired. Console: {CONSOLE}",
        f"auth_1 waits for a person: complete_payer_interaction. Console: {CONSOLE}",
        f"auth_2 waits for a person: complete_payer_interaction. Console: {CONSOLE}",
    ]
    # The deliverer sent two events again after a refused mail; the chat has each message once.
    assert sinks.refused == 2
    assert sorted(sinks.texts) == expected
    assert sorted(mail.get_content().strip() for mail in sinks.mails) == expected
    assert sorted(mail["subject"] for mail in sinks.mails) == [text.partition(":")[0] for text in expected]
    assert {(mail["from"], mail["to"]) for mail in sinks.mails} == {("gateway@clinic.example", "staff@clinic.example")}
    assert log.read_text().count("not sent: SMTPSenderRefused") == 2


async def test_a_stranger_gets_401_and_nothing_is_sent(notifier, sinks, eventually):
    port, log = notifier

    async def answered():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return None
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nwebhook-timestamp: 1\r\n\r\n{}")
        answer = await reader.read()
        writer.close()
        return answer

    assert b" 401 " in (await eventually(answered)).partition(b"\r\n")[0]
    assert (sinks.texts, sinks.mails) == ([], [])
    await eventually(lambda: "not sent: WebhookRefused" in log.read_text())
