"""The JSON format of CloudEvents: structured mode, and the members of a batch."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from schemas.cloudevents.attributes import (
    NAME,
    NOT_ATTRIBUTES,
    attribute_pairs,
    checked_text,
    envelope_of,
    put_attribute,
)
from schemas.cloudevents.envelope import JSON, CloudEventError, Envelope

_JSON_TYPE = re.compile(r"[^/;]+/(json|[^/;]+\+json)\s*(;.*)?", re.IGNORECASE)


def is_json(content_type: str | None) -> bool:
    """Whether data of this type is JSON. In CloudEvents 1.0 a missing type means JSON."""
    return content_type is None or content_type == JSON or _JSON_TYPE.fullmatch(content_type) is not None


def to_structured(envelope: Envelope) -> bytes:
    """Return the structured event. Raises CloudEventError if its data should be JSON and are not."""
    members: dict[str, Any] = dict(attribute_pairs(envelope))
    if envelope.datacontenttype is not None:
        members["datacontenttype"] = envelope.datacontenttype
    if envelope.data is None:
        return to_json(members)
    if not is_json(envelope.datacontenttype):
        return to_json(members | {"data_base64": base64.b64encode(envelope.data).decode()})
    _parsed("data", envelope.data)
    return b"".join((to_json(members)[:-1], b',"data":', envelope.data, b"}"))


def from_members(members: Mapping[str, Any]) -> Envelope:
    """Read the object of a structured event. Raises CloudEventError if the object is not a CloudEvent."""
    encoded = members.get("data_base64")
    has_data = "data" in members
    if has_data and encoded is not None:
        raise CloudEventError("data", "either data or data_base64")
    attributes: dict[str, str] = {}
    for name, value in members.items():
        if value is not None and name not in NOT_ATTRIBUTES:
            put_attribute(attributes, name, _as_text(name, value))
    raw: bytes | None = None
    if encoded is not None:
        raw = _from_base64(encoded)
    elif has_data:
        data = members["data"]
        is_text = isinstance(data, str) and not is_json(attributes.get("datacontenttype"))
        raw = _to_bytes(data, is_text=is_text)
    # In the JSON format a missing datacontenttype next to `data` means JSON.
    return envelope_of(attributes, raw, JSON if has_data else None, None)


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
        return checked_text(name, value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        # JSON has one kind of number: 7.0 is the integer 7.
        value = int(value)
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return str(value)
    raise CloudEventError(name if NAME.fullmatch(name) else "attributes", "a text, a boolean or a 32-bit integer")


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
