"""CloudEvents 1.0 over Kafka and HTTP. Both modes are read; binary mode is the default for writing.

The envelope's data stays bytes; the models parse it. Errors name the attribute and the expected value, never the value
found.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, unquote_to_bytes

from pydantic_core import from_json, to_json

from schemas.times import format_time, parse_time

# The extension `sequence` has this many digits, so that its texts and its numbers have the same order.
SEQUENCE_DIGITS = 20
Mode = Literal["binary", "structured"]
KafkaHeaders = tuple[tuple[str, bytes], ...]

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_STRUCTURED_FAMILY = "application/cloudevents"
_NAME = re.compile(r"[a-z0-9]{1,64}")
_JSON_TYPE = re.compile(r"[^/;]+/(json|[^/;]+\+json)\s*(;.*)?", re.IGNORECASE)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CORE = frozenset({"id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema"})
# The gateway's own headers need no check of their names.
_WRITTEN = {f"ce_{name}": name for name in (*_CORE, "caller", "redrive", "sequence", "causationid")}
_NOT_ATTRIBUTES = frozenset({"data", "data_base64"})
# CloudEvents 3.1: no control characters, no surrogates (UTF-8 has none), no noncharacters.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class CloudEventError(ValueError):
    """The input is not a CloudEvent. `field` is the attribute, `expected` describes a valid value."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Envelope:
    """A CloudEvent. `traceparent` is a separate W3C header, not an attribute."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    datacontenttype: str | None = JSON
    dataschema: str | None = None
    traceparent: str | None = None


def to_kafka(envelope: Envelope, mode: Mode = "binary") -> tuple[KafkaHeaders, bytes | None]:
    """Return headers and value. Without data the value is None: in a compacted topic this deletes the key."""
    trace = () if envelope.traceparent is None else (("traceparent", envelope.traceparent.encode()),)
    if mode == "structured":
        return (("content-type", STRUCTURED.encode()), *trace), _to_structured(envelope)
    headers = [(f"ce_{name}", value.encode()) for name, value in _attributes(envelope)]
    if envelope.datacontenttype is not None:
        headers.append(("content-type", envelope.datacontenttype.encode()))
    return (*headers, *trace), envelope.data


def from_kafka(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """Read a record in either mode. Raises CloudEventError if the record is not a CloudEvent."""
    attributes: dict[str, str] = {}
    content_type = trace = None
    for header, raw in headers:
        if (name := _WRITTEN.get(header)) is not None and name not in attributes:
            attributes[name] = _text(name, raw)
        elif (lower := header.lower()).startswith("ce_"):
            _put(attributes, lower[3:], _text(lower[3:], raw))
        elif lower == "content-type":
            content_type = _text("datacontenttype", raw)
        elif lower == "traceparent":
            trace = _traceparent(raw.decode("ascii", "replace"))
    if content_type is not None and _is_structured(content_type):
        return _from_structured(value or b"", trace)
    return _envelope(attributes, value, content_type, trace)


def to_http(envelope: Envelope, mode: Mode = "binary") -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and body."""
    trace = [] if envelope.traceparent is None else [("traceparent", envelope.traceparent)]
    if mode == "structured":
        return [("content-type", STRUCTURED), *trace], _to_structured(envelope)
    headers = [(f"ce-{name}", _percent(value)) for name, value in _attributes(envelope)]
    if envelope.datacontenttype is not None:
        headers.append(("content-type", envelope.datacontenttype))
    return headers + trace, envelope.data or b""


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> Envelope:
    """Read a request in either mode. Raises CloudEventError if the request is not a CloudEvent."""
    attributes: dict[str, str] = {}
    content_type = trace = None
    for name, raw in headers:
        lower = name.lower()
        if lower.startswith("ce-"):
            _put(attributes, lower[3:], _unpercent(lower[3:], raw))
        elif lower == "content-type":
            content_type = raw
        elif lower == "traceparent":
            trace = _traceparent(raw)
    if content_type is not None and _is_structured(content_type):
        return _from_structured(body, trace)
    return _envelope(attributes, body or None, content_type, trace)


def sequence_text(number: int) -> str:
    """Return the extension `sequence`. CloudEvents orders it as text, so it has leading zeros."""
    return f"{number:0{SEQUENCE_DIGITS}d}"


def sequence_number(envelope: Envelope) -> int | None:
    """Return the number in the extension `sequence`, with or without leading zeros; None if it is not a number.

    Records of releases up to 0.1.0 have no leading zeros.
    """
    text = envelope.extensions.get("sequence", "")
    # PostgreSQL's bigint has 18 digits and a bit.
    is_number = text.isascii() and text.isdigit() and len(text) <= SEQUENCE_DIGITS and len(text.lstrip("0")) <= 18
    return int(text) if is_number else None


def is_json(content_type: str | None) -> bool:
    """Whether data of this type is JSON. In CloudEvents 1.0 a missing type means JSON."""
    return content_type is None or content_type == JSON or _JSON_TYPE.fullmatch(content_type) is not None


def _attributes(envelope: Envelope) -> list[tuple[str, str]]:
    """Return the attributes in the order in which they are written."""
    pairs = [
        ("id", envelope.id),
        ("source", envelope.source),
        ("specversion", "1.0"),
        ("type", envelope.type),
    ]
    if envelope.subject is not None:
        pairs.append(("subject", envelope.subject))
    if envelope.time is not None:
        pairs.append(("time", format_time(envelope.time)))
    if envelope.dataschema is not None:
        pairs.append(("dataschema", envelope.dataschema))
    pairs.extend(envelope.extensions.items())
    return pairs


def _envelope(attributes: dict[str, str], data: bytes | None, content_type: str | None, trace: str | None) -> Envelope:
    if (found := attributes.pop("specversion", None)) != "1.0":
        raise CloudEventError("specversion", "1.0" if found is not None else "1.0 (it is missing)")
    id_, source, type_ = (_required(attributes, name) for name in ("id", "source", "type"))
    raw_time = attributes.pop("time", None)
    try:
        time = None if raw_time is None else parse_time(raw_time)
    except ValueError:
        raise CloudEventError("time", "an RFC 3339 time with an offset") from None
    return Envelope(
        id=id_,
        source=source,
        type=type_,
        subject=_optional(attributes, "subject"),
        time=time,
        dataschema=_optional(attributes, "dataschema"),
        datacontenttype=attributes.pop("datacontenttype", None) or content_type,
        extensions=attributes,
        data=data,
        traceparent=trace,
    )


def _required(attributes: dict[str, str], name: str) -> str:
    value = attributes.pop(name, "")
    if not value:
        raise CloudEventError(name, "a non-empty text")
    return value


def _optional(attributes: dict[str, str], name: str) -> str | None:
    value = attributes.pop(name, None)
    if value == "":
        raise CloudEventError(name, "a non-empty text, or nothing")
    return value


def _put(attributes: dict[str, str], name: str, value: str) -> None:
    if name not in _CORE and (not _NAME.fullmatch(name) or name in _NOT_ATTRIBUTES):
        raise CloudEventError("attributes", "names of lower-case letters and digits")
    if name in attributes:
        raise CloudEventError(name, "to be given once")
    attributes[name] = value


def _checked(name: str, value: str) -> str:
    # isprintable() is cheaper than the regular expression, and false for each forbidden character.
    if not value.isprintable() and _FORBIDDEN.search(value):
        raise CloudEventError(name, "text without control characters")
    return value


def _text(name: str, raw: bytes) -> str:
    try:
        return _checked(name, raw.decode())
    except UnicodeDecodeError:
        raise CloudEventError(name, "UTF-8 text") from None


def _traceparent(raw: str) -> str | None:
    # An invalid traceparent is dropped: it must not reject the event or bring text into Kafka (W3C Trace Context 3.2).
    return raw if _TRACEPARENT.fullmatch(raw) else None


def _percent(value: str) -> str:
    # HTTP binding 3.1.3.2: printable ASCII is not encoded, except space, double quote and percent.
    return quote(value, safe="!#$&'()*+,/:;<=>?@[\\]^`{|}~")


def _unpercent(name: str, raw: str) -> str:
    text = raw.strip(" \t")
    if not text.isascii():
        # Servers decode header bytes as Latin-1, so the caller's encoding is unknown.
        raise CloudEventError(name, "percent-encoded text")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return _text(name, unquote_to_bytes(text)) if "%" in text else _checked(name, text)


def _is_structured(content_type: str) -> bool:
    if content_type == JSON:
        return False
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == STRUCTURED:
        return True
    if media_type.startswith(_STRUCTURED_FAMILY):
        raise CloudEventError("content-type", f"{STRUCTURED}, or the data's own type in binary mode")
    return False


def _to_structured(envelope: Envelope) -> bytes:
    members: dict[str, Any] = dict(_attributes(envelope))
    if envelope.datacontenttype is not None:
        members["datacontenttype"] = envelope.datacontenttype
    if envelope.data is None:
        return to_json(members)
    if not is_json(envelope.datacontenttype):
        return to_json(members | {"data_base64": base64.b64encode(envelope.data).decode()})
    _parsed("data", envelope.data)
    return b"".join((to_json(members)[:-1], b',"data":', envelope.data, b"}"))


def _from_structured(body: bytes, trace: str | None) -> Envelope:
    members = _parsed("body", body)
    if not isinstance(members, dict):
        raise CloudEventError("body", "a JSON object")
    return from_members(members, trace)


def from_members(members: Mapping[str, Any], trace: str | None = None) -> Envelope:
    """Read the object of a structured event. Raises CloudEventError if the object is not a CloudEvent."""
    encoded = members.get("data_base64")
    has_data = "data" in members
    if has_data and encoded is not None:
        raise CloudEventError("data", "either data or data_base64")
    attributes: dict[str, str] = {}
    for name, value in members.items():
        if value is not None and name not in _NOT_ATTRIBUTES:
            _put(attributes, name, _as_text(name, value))
    raw: bytes | None = None
    if encoded is not None:
        raw = _from_base64(encoded)
    elif has_data:
        data = members["data"]
        is_text = isinstance(data, str) and not is_json(attributes.get("datacontenttype"))
        raw = _to_bytes(data, is_text=is_text)
    # In the JSON format a missing datacontenttype next to `data` means JSON.
    return _envelope(attributes, raw, JSON if has_data else None, trace)


def _to_bytes(data: Any, *, is_text: bool) -> bytes:
    try:
        raw: bytes = data.encode() if is_text else to_json(data, inf_nan_mode="constants")
    except ValueError:
        raise CloudEventError("data", "JSON in UTF-8") from None  # a lone surrogate
    if b"Infinity" in raw and not is_text:
        _parsed("data", raw)  # 1e999 is valid JSON, but becomes infinity, which has no JSON form
    return raw


def _as_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return _checked(name, value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        # JSON has one kind of number: 7.0 is the integer 7.
        value = int(value)
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return str(value)
    raise CloudEventError(name if _NAME.fullmatch(name) else "attributes", "a text, a boolean or a 32-bit integer")


def _from_base64(encoded: Any) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise CloudEventError("data_base64", "base64 text") from None


def _parsed(name: str, body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        raise CloudEventError(name, "JSON in UTF-8") from None
