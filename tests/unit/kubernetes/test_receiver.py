import json
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from local.kubernetes.receiver import WebhookReceiver


@pytest.fixture
def receiver():
    receiver = WebhookReceiver("127.0.0.1")
    receiver.start()
    yield receiver
    receiver.stop()


def post(receiver, number, *, secret=None, authorization="auth_1"):
    body, now = (
        json.dumps({"id": f"e{number}", "subject": authorization, "sequence": f"{number:020}"}),
        datetime.now(UTC),
    )
    signature = Webhook(secret or receiver.secret).sign(f"e{number}", now, body)
    headers = {
        "webhook-id": f"e{number}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return httpx.post(f"http://127.0.0.1:{receiver.port}/", content=body, headers=headers, trust_env=False).status_code


def test_a_wrong_signature_is_refused_and_reported(receiver):
    assert post(receiver, 1, secret=WebhookReceiver("").secret) == 401
    assert receiver.accepted == []
    assert "1 webhooks had a wrong signature" in receiver.broken([])


def test_a_lost_event_and_a_wrong_order_are_reported_and_a_repeated_event_is_not(receiver):
    receiver.accepted = [("a", 1), ("a", 3), ("a", 1), ("a", 2), ("b", 1)]
    assert receiver.broken([("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)]) == [
        "the receiver did not get event 2 of b",
        "the receiver got events out of order: a: 2 after 3",
    ]
