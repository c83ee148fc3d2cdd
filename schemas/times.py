"""Times on the wire: read as RFC 3339 with an offset, kept in UTC, written with `Z`."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# datetime.fromisoformat and pydantic also accept dates, week dates and Unix times; these are rejected here.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_time(text: str) -> datetime:
    """Return the time in UTC.

    Raises ValueError if the text is not RFC 3339 with an offset. The message does not contain the text.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time with an offset")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not a time between the years 1 and 9999") from None


def span(seconds: float) -> str:
    """Return a duration in one unit, such as `12 min`. A negative duration is `0 s`: clocks differ a little."""
    whole = max(0, round(seconds))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def format_time(time: datetime) -> str:
    """Return RFC 3339 with `Z`. Microseconds are written only if they are not zero."""
    return (time if time.tzinfo is UTC else time.astimezone(UTC)).isoformat()[:-6] + "Z"


def _from_wire(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise PydanticCustomError("time", "Input should be an RFC 3339 time with an offset") from None


def _from_code(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("time", "Input should be an aware time")
    return value.astimezone(UTC)


class _Rfc3339:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept text from JSON and aware datetimes from code."""
        del source, handler
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(_from_wire, core_schema.str_schema()),
            python_schema=core_schema.no_info_after_validator_function(_from_code, core_schema.datetime_schema()),
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_time, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the type in JSON Schema."""
        del schema, handler
        return {"type": "string", "format": "date-time"}


Time = Annotated[datetime, _Rfc3339()]
