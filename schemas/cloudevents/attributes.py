"""The attributes of a CloudEvent: their order, names and texts, in every binding."""

import re

from schemas.cloudevents.envelope import JSON, STRUCTURED, CloudEventError, Envelope
from schemas.times import format_time, parse_time

NAME = re.compile(r"[a-z0-9]{1,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
CORE = frozenset({"id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema"})
NOT_ATTRIBUTES = frozenset({"data", "data_base64"})
# CloudEvents 3.1: no control characters, no surrogates (UTF-8 has none), no noncharacters.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def attribute_pairs(envelope: Envelope) -> list[tuple[str, str]]:
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


def envelope_of(
    attributes: dict[str, str], data: bytes | None, content_type: str | None, trace: str | None
) -> Envelope:
    """Return the event with these attributes; empties the mapping. Raises CloudEventError for a wrong attribute."""
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


def put_attribute(attributes: dict[str, str], name: str, value: str) -> None:
    """Add an attribute that was read. Raises CloudEventError for a wrong name, or for one that was read before."""
    if name not in CORE and (not NAME.fullmatch(name) or name in NOT_ATTRIBUTES):
        raise CloudEventError("attributes", "names of lower-case letters and digits")
    if name in attributes:
        raise CloudEventError(name, "to be given once")
    attributes[name] = value


def checked_text(name: str, value: str) -> str:
    """Return a valid value. Raises CloudEventError if it contains a control character or a noncharacter."""
    # isprintable() is cheaper than the regular expression, and false for each forbidden character.
    if not value.isprintable() and _FORBIDDEN.search(value):
        raise CloudEventError(name, "text without control characters")
    return value


def text_of(name: str, raw: bytes) -> str:
    """Return the text of an attribute's bytes. Raises CloudEventError if they are not valid UTF-8 text."""
    try:
        return checked_text(name, raw.decode())
    except UnicodeDecodeError:
        raise CloudEventError(name, "UTF-8 text") from None


def require_binary(content_type: str | None) -> None:
    """Raise CloudEventError for a structured event, a batch, or another format of CloudEvents."""
    if content_type not in {None, JSON} and content_type.strip().lower().startswith("application/cloudevents"):
        raise CloudEventError("content-type", f"{STRUCTURED}, or the data's own type in binary mode")


def valid_traceparent(raw: str) -> str | None:
    """Return a valid traceparent, else None: an invalid one must neither reject the event nor bring text into Kafka.

    W3C Trace Context 3.2.
    """
    return raw if _TRACEPARENT.fullmatch(raw) else None
