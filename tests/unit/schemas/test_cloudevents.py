import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import (
    CloudEventError,
    Envelope,
    from_http,
    from_kafka,
    from_members,
    is_json,
    to_http,
    to_kafka,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# The characters that CloudEvents 1.0 section 3.1 allows in a string.
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"]),
    min_size=1,
    max_size=30,
)
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(
    lambda name: (
        name not in {"id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema", "data"}
    )
)
JSON_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def envelopes(data, content_types):
    return st.builds(
        Envelope,
        id=TEXT,
        source=TEXT,
        type=TEXT,
        subject=st.none() | TEXT,
        time=st.none() | st.datetimes(timezones=st.just(UTC)),
        extensions=st.dictionaries(NAMES, TEXT, max_size=4),
        data=data,
        datacontenttype=content_types,
        dataschema=st.none() | TEXT,
        traceparent=st.sampled_from([None, TRACE]),
    )


JSON_TYPES = st.sampled_from(
    ["application/json", "application/json; charset=utf-8", "text/json", "application/vnd.x+json"]
)
OTHER_TYPES = st.sampled_from(["text/plain", "application/octet-stream", "application/xml"])
ANY = envelopes(st.none() | st.binary(min_size=1), st.none() | JSON_TYPES | OTHER_TYPES)
STRUCTURABLE = (
    envelopes(st.none() | JSON_DATA, JSON_TYPES)
    | envelopes(st.none() | st.binary(), OTHER_TYPES)
    | envelopes(st.none(), st.none())
)


@given(ANY)
def test_binary_mode_keeps_every_attribute_over_kafka(envelope):
    assert from_kafka(*to_kafka(envelope)) == envelope


def same(read, written):
    """Compare envelopes. Structured JSON data may write an equal number in another form."""
    if read.data != written.data:
        assert json.loads(read.data) == json.loads(written.data)
    assert dict(read.extensions) == dict(written.extensions)
    names = ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "traceparent")
    assert [getattr(read, name) for name in names] == [getattr(written, name) for name in names]


@given(STRUCTURABLE)
def test_structured_mode_keeps_every_attribute_over_http(envelope):
    headers, body = to_http(envelope)
    same(replace(from_members(json.loads(body)), traceparent=dict(headers).get("traceparent")), envelope)


@given(
    st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=20)), max_size=6), st.none() | st.binary(max_size=60)
)
def test_random_kafka_records_never_raise_another_error(headers, value):
    named = [("ce_" + name, raw) for name, raw in headers]
    for tried in (headers, named, [("content-type", b"application/cloudevents+json"), *headers]):
        try:
            assert isinstance(from_kafka(tried, value), Envelope)
        except CloudEventError as error:
            assert error.expected  # noqa: PT017 -- either way is right; a crash is not


@given(
    st.dictionaries(
        NAMES | st.sampled_from(["id", "source", "type", "specversion", "time", "data", "data_base64"]), JSON_DATA
    )
)
def test_random_structured_events_never_raise_another_error(members):
    try:
        assert isinstance(from_members({name: json.loads(value) for name, value in members.items()}), Envelope)
    except CloudEventError as error:
        assert error.expected  # noqa: PT017 -- either way is right; a crash is not


GOOD = [("ce_id", b"1"), ("ce_source", b"/s"), ("ce_specversion", b"1.0"), ("ce_type", b"t")]


def changed(**headers):
    kept = [(name, value) for name, value in GOOD if name not in headers]
    return kept + [(name, value) for name, value in headers.items() if value is not None]


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        (changed(ce_id=None), "id"),
        (changed(ce_id=b""), "id"),
        (changed(ce_source=None), "source"),
        (changed(ce_type=b""), "type"),
        (changed(ce_specversion=None), "specversion"),
        (changed(ce_specversion=b"0.3"), "specversion"),
        (changed(ce_time=b"yesterday"), "time"),
        (changed(ce_time=b"2026-01-31"), "time"),
        (changed(ce_subject=b""), "subject"),
        (changed(ce_subject=b"a\x00b"), "subject"),
        (changed(ce_subject=b"\xff"), "subject"),
        (changed(ce_Bad_Name=b"x"), "attributes"),
        ([*GOOD, ("ce_id", b"2")], "id"),
        ([*GOOD, ("CE_ID", b"2")], "id"),
        (changed(ce_data=b"x"), "attributes"),
        ([("content-type", b"application/cloudevents-batch+json")], "content-type"),
        ([("content-type", b"application/cloudevents+avro")], "content-type"),
        ([("content-type", b"application/cloudevents+json")], "content-type"),
    ],
)
def test_the_error_of_an_invalid_event_names_the_attribute(headers, field):
    with pytest.raises(CloudEventError) as caught:
        from_kafka(headers, b"planted")
    assert caught.value.field == field
    assert caught.value.expected
    assert "yesterday" not in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ('{"specversion":"1.0","id":1.5,"source":"s","type":"t"}', "id"),
        ('{"specversion":"1.0","id":"1","source":"s","type":"t","ext":{"a":1}}', "ext"),
        ('{"specversion":"1.0","id":"1","source":"s","type":"t","Ext":"a"}', "attributes"),
        ('{"specversion":"1.0","id":"1","source":"s","type":"t","big":2147483648}', "big"),
        ('{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}', "data"),
        ('{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"?"}', "data_base64"),
        ('{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":7}', "data_base64"),
        ('{"specversion":"1.0","id":"\\u0000","source":"s","type":"t"}', "id"),
    ],
)
def test_the_error_of_an_invalid_structured_event_names_the_attribute(members, field):
    with pytest.raises(CloudEventError) as caught:
        from_members(json.loads(members))
    assert caught.value.field == field


def test_a_number_that_overflows_is_rejected():
    body = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"n":1e999}}'
    with pytest.raises(CloudEventError, match="data"):
        from_members(json.loads(body))


def test_invalid_json_data_is_not_written_into_a_structured_event():
    with pytest.raises(CloudEventError, match="data"):
        to_http(Envelope("1", "/s", "t", data=b'{"a":1},"id":"2"'))


def test_structured_attributes_may_be_booleans_and_integers():
    body = b'{"specversion":"1.0","id":"1","source":"s","type":"t","sequence":7,"flag":true,"gone":null}'
    assert from_members(json.loads(body)).extensions == {
        "sequence": "7",
        "flag": "true",
    }


@pytest.mark.parametrize("raw", ["Euro %E2%82%AC %F0%9F%98%80", '"Euro %E2%82%AC %F0%9F%98%80"'])
def test_http_values_are_percent_decoded_and_unquoted(raw):
    headers = [("CE-Id", raw), ("ce-source", "/s"), ("ce-specversion", "1.0"), ("ce-type", "t")]
    assert from_http(headers, b"").id == "Euro € 😀"


@pytest.mark.parametrize("raw", ["\xe9", "%FF", "%00"])
def test_http_values_that_are_not_text_are_rejected(raw):
    with pytest.raises(CloudEventError, match="id"):
        from_http([("ce-id", raw), ("ce-source", "/s"), ("ce-specversion", "1.0"), ("ce-type", "t")], b"")


def test_an_invalid_traceparent_is_dropped():
    assert from_kafka([*GOOD, ("traceparent", b"Jane Roe")], b"").traceparent is None
    assert from_kafka([*GOOD, ("traceparent", TRACE.encode())], b"").traceparent == TRACE


def test_golden_records_and_requests():
    envelope = Envelope(
        id="1",
        source="/collate-gateway/local",
        type="collate-gateway.handoff.opened.v1",
        subject="auth_7Q2M",
        time=datetime(2026, 6, 2, 14, 6, 1, tzinfo=UTC),
        extensions={"sequence": "4", "causationid": "c"},
        data=b'{"a":1}',
        traceparent=TRACE,
    )
    assert to_kafka(envelope) == (
        (
            ("ce_id", b"1"),
            ("ce_source", b"/collate-gateway/local"),
            ("ce_specversion", b"1.0"),
            ("ce_type", b"collate-gateway.handoff.opened.v1"),
            ("ce_subject", b"auth_7Q2M"),
            ("ce_time", b"2026-06-02T14:06:01Z"),
            ("ce_sequence", b"4"),
            ("ce_causationid", b"c"),
            ("content-type", b"application/json"),
            ("traceparent", TRACE.encode()),
        ),
        b'{"a":1}',
    )


def test_a_repr_does_not_show_data():
    assert "planted" not in repr(Envelope("1", "/s", "t", data=b"planted"))


@pytest.mark.parametrize(
    ("content_type", "answer"),
    [
        (None, True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/vnd.api+json", True),
        ("text/json", True),
        ("application/jsonl", False),
        ("text/plain; x=+json", False),
    ],
)
def test_the_media_type_identifies_json(content_type, answer):
    assert is_json(content_type) is answer
