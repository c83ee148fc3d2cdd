"""The two kinds of model, and how secret each field is.

`Model` is what we and our callers say: closed, exact types, camelCase on the wire. `Tolerant` is what Collate says:
unknown fields are dropped, types are coerced. Every field declares its data class; one that does not counts as PHI, and
a repr shows public values only.
"""

import typing
from collections.abc import Iterator, Mapping
from enum import IntEnum
from types import UnionType
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class DataClass(IntEnum):
    """How much harm a value does in the wrong place; a greater one includes the care of the lesser."""

    PUBLIC = 0
    PHI = 1
    SECRET = 2


PUBLIC = DataClass.PUBLIC
PHI = DataClass.PHI
SECRET = DataClass.SECRET

Example = Mapping[str, Any]
"""How a message looks on the wire; published with its schema, and checked against it."""

_T = TypeVar("_T")
Public = Annotated[_T, DataClass.PUBLIC]
Phi = Annotated[_T, DataClass.PHI]
Secret = Annotated[_T, DataClass.SECRET]


class _Shown(BaseModel):
    """A model whose repr shows public values only."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            shown = name in type(self).model_fields and declared(type(self), str(name)) is PUBLIC
            yield name, value if shown or value is None or isinstance(value, BaseModel) else Hidden()


class Hidden:
    """Stands in a repr for a value that is nobody's business there."""

    def __repr__(self) -> str:
        return "<hidden>"


def _mark(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Publish each field's data class, and that a variant's tag must be there."""
    for name, info in model.model_fields.items():
        field = schema["properties"][info.alias or name]
        field["x-data-class"] = data_class(model, name).name.lower()
        if "const" in field:
            field.pop("default", None)
            schema["required"] = [*schema.get("required", []), info.alias or name]


class Model(_Shown):
    """What we and our callers say."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra=_mark,
    )

    open_on_the_wire: ClassVar[bool] = False
    """Whether a reader must expect fields that it does not know (the published schema says so)."""

    def to_json(self) -> bytes:
        """Return the wire form: compact, camelCase, absent rather than null, fields in declared order."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)

    @classmethod
    def from_caller(cls, data: bytes | str) -> Self:
        """Read JSON that must be exactly right; pydantic.ValidationError also for unknown fields."""
        return cls.model_validate_json(data, by_alias=True, by_name=False)

    @classmethod
    def from_record(cls, data: bytes | str) -> Self:
        """Read JSON that a newer version of us may have written; unknown fields are dropped."""
        return cls.model_validate_json(data, by_alias=True, by_name=False, extra="ignore")


class Message(Model):
    """A model that travels as a record of its own."""

    TYPE: ClassVar[str]
    EXAMPLE: ClassVar[Example]


class Tolerant(_Shown):
    """What Collate says."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def from_wire(cls, data: bytes | str) -> Self:
        """Read an answer's body (pydantic.ValidationError if it is not one of these)."""
        return cls.model_validate_json(data, by_alias=True, by_name=False)


def declared(model: type[BaseModel], field: str) -> DataClass | None:
    """Return the data class that stands at the field itself, the greatest if several, None if there is none."""
    info = model.model_fields[field]
    found = [mark for mark in info.metadata if isinstance(mark, DataClass)]
    found.extend(mark for mark in _marks(info.annotation) if mark is not None)
    return max(found) if found else None


def data_class(model: type[BaseModel], field: str) -> DataClass:
    """Return how a field must be treated: what it declares, but never less than what the models inside it hold."""
    own = declared(model, field)
    inner = [data_class(nested, name) for nested in nested_models(model, field) for name in nested.model_fields]
    if own is None:
        return max(inner, default=PHI)
    return max([own, *inner])


def nested_models(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    """Return the models that a field's type mentions, at any depth of unions and containers."""
    return [part for part in _parts(model.model_fields[field].annotation) if _is_model(part)]


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in typing.get_args(annotation):
        yield from _parts(argument)


def _marks(annotation: Any) -> Iterator[DataClass | None]:
    """Walk unions only: what stands inside a list or a dict does not speak for the whole."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = typing.get_args(annotation)
        yield from (mark for mark in metadata if isinstance(mark, DataClass))
        yield from _marks(inner)
    elif origin is typing.Union or origin is UnionType:
        for argument in typing.get_args(annotation):
            yield from _marks(argument)
