import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from adapters.webhooks.signing import sign

SECRETS = [b"a" * 24, b"b" * 32]


def _headers(body, timestamp):
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(SECRETS, "msg_1", timestamp, body),
    }


@given(st.text(max_size=200))
def test_the_official_package_accepts_each_secret(text):
    body, now = text.encode(), int(time.time())
    for secret in SECRETS:
        Webhook(f"whsec_{base64.b64encode(secret).decode()}").verify(body, _headers(body, now), json_parse=False)


def test_the_official_package_refuses_another_body_time_or_secret():
    now = int(time.time())
    webhook = Webhook(base64.b64encode(SECRETS[0]).decode())
    for body, headers in (
        (b"{ }", _headers(b"{}", now)),
        (b"{}", _headers(b"{}", now) | {"webhook-id": "msg_2"}),
        (b"{}", _headers(b"{}", now) | {"webhook-timestamp": str(now + 1)}),
        (b"{}", _headers(b"{}", now) | {"webhook-signature": sign([b"c" * 24], "msg_1", now, b"{}")}),
    ):
        with pytest.raises(WebhookVerificationError):
            webhook.verify(body, headers, json_parse=False)
