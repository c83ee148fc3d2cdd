"""Standard Webhooks, with the official library as the oracle in both directions."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.fields.signing_secret import SecretInvalid, read_secret
from schemas.fields.webhook_signature import is_message_id, read_signature, sign

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)


class Clock(datetime):
    """The official library's, which verifies at the current time."""

    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz)


@pytest.fixture(scope="module", autouse=True)
def _the_official_library_reads_this_clock():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("standardwebhooks.webhooks.datetime", Clock)
        yield


def headers(message_id, signature, at=NOW):
    return {
        b"webhook-id": message_id.encode(),
        b"webhook-timestamp": str(int(at.timestamp())).encode(),
        b"webhook-signature": signature.encode(),
    }


def as_text(given_headers):
    return {name.decode(): value.decode("latin-1") for name, value in given_headers.items()}


def signed(secret, message_id, body, at=NOW):
    return headers(message_id, Webhook(secret).sign(message_id, at, body), at)


def check(given_headers, body, *secrets, now=NOW):
    """Return the message id if one of the secrets signed the body, else None."""
    signature = read_signature(given_headers, now.timestamp())
    if signature is None or not signature.is_valid(body, tuple(read_secret(secret) for secret in secrets)):
        return None
    return signature.message_id


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.text(alphabet="abc-_0", min_size=1, max_size=20))
def test_a_signature_of_the_official_library_is_valid(body, message_id):
    assert check(signed(SECRET, message_id, body), body.encode(), SECRET) == message_id


@given(st.text(max_size=20), st.integers(0, 200), st.integers(0, 7))
def test_a_changed_bit_is_invalid_for_both_libraries(body, place, bit):
    given_headers = signed(SECRET, "msg_1", body)
    raw = bytearray(given_headers[b"webhook-signature"])
    at = 3 + place % (len(raw) - 4)
    raw[at] ^= 1 << bit
    given_headers[b"webhook-signature"] = bytes(raw)
    try:
        Webhook(SECRET).verify(body, as_text(given_headers))
        theirs = True
    except (WebhookVerificationError, ValueError):
        theirs = False
    # The official library decodes the base64 first, so it accepts some unusual spellings that we reject.
    assert theirs or check(given_headers, body.encode(), SECRET) is None


@given(st.text(max_size=200))
def test_the_official_library_accepts_each_secret(text):
    header = sign([read_secret(SECRET), read_secret(OTHER)], "msg_1", int(NOW.timestamp()), text.encode())
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(text, as_text(headers("msg_1", header)), json_parse=False)


def test_an_id_is_visible_ascii_of_at_most_255_characters():
    ids = ["msg_1", "x" * 255, "", "x" * 256, "a b", "é", "a\n"]
    assert [is_message_id(text) for text in ids] == [True, True] + [False] * 5


def test_any_secret_and_any_signature_suffices():
    old = Webhook(OTHER).sign("msg_1", NOW, "body")
    new = Webhook(SECRET).sign("msg_1", NOW, "body")
    assert check(headers("msg_1", f"v1a,unknown {old} {new}"), b"body", SECRET) == "msg_1"
    assert check(headers("msg_1", old), b"body", SECRET, OTHER) == "msg_1"
    assert check(headers("msg_1", old), b"body", SECRET) is None


@pytest.mark.parametrize(("seconds", "is_right"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_signature_is_valid_for_five_minutes_around_its_time(seconds, is_right):
    at = NOW + timedelta(seconds=seconds)
    assert (check(signed(SECRET, "msg_1", "body", at), b"body", SECRET) is not None) is is_right


@pytest.mark.parametrize("change", [
    {b"webhook-id": b""},
    {b"webhook-id": b"a b"},
    {b"webhook-id": b"x" * 256},
    {b"webhook-id": b"msg_2"},
    {b"webhook-timestamp": b""},
    {b"webhook-timestamp": b"-1"},
    {b"webhook-timestamp": b"1e9"},
    {b"webhook-timestamp": b"9" * 13},
    {b"webhook-signature": b""},
    {b"webhook-signature": b"v1,"},
    {b"webhook-signature": b"v2," + b"x" * 44},
    {b"webhook-signature": b"\xff"},
])  # fmt: skip
def test_malformed_or_missing_headers_are_invalid(change):
    assert check(signed(SECRET, "msg_1", "body") | change, b"body", SECRET) is None
    missing = {name: value for name, value in signed(SECRET, "msg_1", "body").items() if name not in change}
    assert check(missing, b"body", SECRET) is None


@pytest.mark.parametrize("size", [24, 25, 64])
def test_a_secret_of_24_bytes_or_more_is_read_with_and_without_its_prefix(size):
    text = base64.b64encode(b"s" * size).decode()
    assert read_secret(f" whsec_{text}\n") == read_secret(f"{text}\n") == b"s" * size


@pytest.mark.parametrize(
    "text",
    [
        "whsec_" + base64.b64encode(b"s" * 23).decode(),
        "whsec_" + "c3Nz" * 8 + "-_",
        "whsec_c3N",
        "whsec_!!!",
        "",
        "whsec_",
    ],
)
def test_another_secret_is_refused(text):
    with pytest.raises(SecretInvalid):
        read_secret(text)
