"""Types of single values in Collate's responses. They accept more than the contract documents."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from schemas.fields.scalars import word

_T = TypeVar("_T")


class _NoneOnError:
    """None for a value that does not fit. pydantic's own default on an error costs a third of a function of ours."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


OrNone = Annotated[_T | None, _NoneOnError()]
"""A detail without a documented shape: None if it does not fit, so that the rest of the response stays usable."""

OpenWord = Annotated[str, AfterValidator(word)]
"""A word of an open vocabulary. Text that is not a word becomes `unrecognised`."""


Version = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A version of an object of Collate's: at most the largest that every JSON reader holds exactly."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)


def _clamped(value: datetime) -> datetime:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return min(max(aware, EARLIEST), LATEST).astimezone(UTC)


OpenTime = Annotated[datetime, AfterValidator(_clamped)]
"""A time in UTC, clamped to 1970 to 2199, so that a sum of it and a duration is a time. No offset is read as UTC."""

IsTrue = Annotated[bool, BeforeValidator(lambda value: value is True)]
"""True only for JSON `true`: any other value counts as false."""

IsPresent = Annotated[bool, BeforeValidator(lambda value: value is not None and value is not False)]
"""The presence of an object. Its content may be PHI and is dropped."""
