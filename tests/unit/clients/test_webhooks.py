"""The check of a webhook request, against the official library."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from collate_gateway_client import WebhookRefused, webhook_event

NOW = 1_764_000_000
SECRETS = [f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2, 3)]
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/collate-gateway/local/authorizations/auth_1",
    "type": "collate-gateway.handoff.opened.v1",
    "subject": "auth_1",
    "sequence": "00000000000000000007",
    "time": "2026-11-30T03:14:00Z",
    "data": {"handoffId": "mhand_1"},
}
BODY = json.dumps(EVENT).encode()


def signed(body=BODY, secrets=SECRETS[:1], at=NOW, message_id="e-1"):
    signatures = [
        Webhook(secret).sign(message_id, datetime.fromtimestamp(at, UTC), body.decode()) for secret in secrets
    ]
    return {"Webhook-Id": message_id, "Webhook-Timestamp": str(at), "Webhook-Signature": " ".join(signatures)}


def test_a_signed_request_is_an_event_as_the_stream_has_it():
    event = webhook_event(SECRETS[0], signed(), BODY, now=NOW)
    assert (event.id, event.authorization_id, event.sequence) == ("e-1", "auth_1", 7)
    assert event.data == {"handoffId": "mhand_1"}
    assert event.attributes | {"data": event.data} == EVENT


def test_while_a_secret_rotates_either_side_may_have_both():
    assert webhook_event(SECRETS[1], signed(secrets=SECRETS[:2]), BODY, now=NOW)
    assert webhook_event(SECRETS[:2], signed(secrets=SECRETS[1:2]), BODY, now=NOW)


@given(at=st.integers(0, len(BODY) - 1), byte=st.integers(0, 255))
def test_a_body_with_another_byte_is_refused(at, byte):
    changed = BODY[:at] + bytes([byte]) + BODY[at + 1 :]
    if changed != BODY:
        with pytest.raises(WebhookRefused, match="no signature"):
            webhook_event(SECRETS[0], signed(), changed, now=NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Webhook-Id": "e-2"}, "no signature"),
        ({"Webhook-Timestamp": str(NOW + 1)}, "no signature"),
        ({"Webhook-Timestamp": "-1"}, "whole seconds"),
        ({"Webhook-Timestamp": "9" * 5000}, "whole seconds"),
        ({"Webhook-Timestamp": ""}, "whole seconds"),
        ({"Webhook-Signature": ""}, "no signature"),
        ({"Webhook-Signature": "v1,é v1a,x"}, "no signature"),
    ],
)
def test_other_headers_are_refused(change, words):
    with pytest.raises(WebhookRefused, match=words):
        webhook_event(SECRETS[0], signed() | change, BODY, now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_request_and_a_wrong_clock_are_refused(seconds):
    assert webhook_event(SECRETS[0], signed(), BODY, now=NOW + seconds * 300 // 301)
    with pytest.raises(WebhookRefused, match="5 minutes"):
        webhook_event(SECRETS[0], signed(), BODY, now=NOW + seconds)


def test_another_secret_is_refused_and_a_malformed_one_is_an_error_without_its_text():
    with pytest.raises(WebhookRefused, match="no signature"):
        webhook_event(SECRETS[2], signed(secrets=SECRETS[:2]), BODY, now=NOW)
    with pytest.raises(WebhookRefused, match="no signature"):
        webhook_event([], signed(), BODY, now=NOW)
    with pytest.raises(ValueError, match="whsec_ and base64") as error:
        webhook_event("whsec_SECRET*", signed(), BODY, now=NOW)
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize("body", [b"[]", b"no JSON", b"{}", BODY.replace(b"subject", b"topic")])
def test_a_signed_body_that_is_no_event_is_refused(body):
    with pytest.raises(WebhookRefused, match="CloudEvent"):
        webhook_event(SECRETS[0], signed(body), body, now=NOW)
