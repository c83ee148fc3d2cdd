"""The codec agrees with the official CloudEvents SDK, over Kafka and HTTP, in both directions."""

import json
from datetime import UTC, timedelta, timezone

from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import Envelope, from_http, from_kafka, from_members, to_http, to_kafka

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=30)
RESERVED = {"id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema", "data"}
# The SDK uses the attribute partitionkey for the Kafka key.
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in RESERVED | {"partitionkey"})
EXTENSIONS = st.dictionaries(NAMES, TEXT, max_size=3)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=st.just(UTC) | OFFSETS).filter(lambda time: 1 < time.year < 9999)
# The SDK accepts JSON objects. Text that looks like JSON would be ambiguous for it.
OBJECTS = st.dictionaries(
    TEXT,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
ENVELOPES = st.builds(
    Envelope,
    id=TEXT,
    source=TEXT,
    type=TEXT,
    subject=st.none() | TEXT,
    time=st.none() | TIMES,
    dataschema=st.none() | st.just("https://example.test/schema"),
    extensions=EXTENSIONS,
    data=OBJECTS.map(lambda value: json.dumps(value).encode()),
)
EVENTS = st.builds(
    lambda core, optional, extensions, data: CloudEvent(
        {"specversion": "1.0", "datacontenttype": "application/json", **core, **optional, **extensions}, data
    ),
    st.fixed_dictionaries({"id": TEXT, "source": TEXT, "type": TEXT}),
    st.fixed_dictionaries({}, optional={"subject": TEXT, "time": TIMES}),
    EXTENSIONS,
    OBJECTS,
)


def same(event, envelope):
    """Whether the SDK's event and the envelope are equal."""
    theirs = dict(event.get_attributes())
    if envelope.time is None:
        # The SDK makes up a time for an event that has none.
        theirs.pop("time", None)
    ours = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "subject": envelope.subject,
        "time": envelope.time,
        "datacontenttype": envelope.datacontenttype,
        "dataschema": envelope.dataschema,
        **envelope.extensions,
    }
    assert theirs == {name: value for name, value in ours.items() if value is not None}
    assert event.get_data() == json.loads(envelope.data)


@given(envelope=ENVELOPES)
def test_the_sdk_reads_what_we_write_to_kafka(envelope):
    headers, value = to_kafka(envelope)
    assert len(dict(headers)) == len(headers)
    same(kafka.from_kafka(kafka.KafkaMessage(dict(headers), None, value), JSONFormat()), envelope)


@given(envelope=ENVELOPES)
def test_the_sdk_reads_what_we_write_over_http(envelope):
    headers, body = to_http(envelope)
    same(http.from_http(http.HTTPMessage(dict(headers), body), JSONFormat()), envelope)


@given(event=EVENTS)
def test_we_read_what_the_sdk_writes_to_kafka(event):
    message = kafka.to_binary(event, JSONFormat())
    same(event, from_kafka(message.headers.items(), message.value))


@given(event=EVENTS)
def test_we_read_what_the_sdk_writes_over_http(event):
    message = http.to_binary(event, JSONFormat())
    same(event, from_http(message.headers.items(), message.body))
    same(event, from_members(json.loads(http.to_structured(event, JSONFormat()).body)))


@given(st.binary(min_size=1))
def test_structured_mode_keeps_binary_data_in_both_directions(data):
    envelope = Envelope("1", "/s", "t", data=data, datacontenttype="application/octet-stream")
    headers, body = to_http(envelope)
    assert http.from_http(http.HTTPMessage(dict(headers), body), JSONFormat()).get_data() == data
    event = CloudEvent(
        {"id": "1", "source": "/s", "type": "t", "specversion": "1.0", "datacontenttype": "application/octet-stream"},
        data,
    )
    assert from_members(json.loads(http.to_structured(event, JSONFormat()).body)).data == data
