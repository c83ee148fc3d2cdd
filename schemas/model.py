"""The two base classes of models, and the data class of each field.

`Model` is for the gateway's own messages: no unknown fields, exact types, camelCase on the wire. `Tolerant` is for
Collate's responses: unknown fields are dropped, types are coerced. Each field declares its data class; an undeclared
field counts as PHI. A repr shows public values only.
"""

import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from functools import cache
from types import MappingProxyType, UnionType
from typing import Annotated, Any, ClassVar, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from schemas.fields.visible_text import FROM_CALLER


class DataClass(IntEnum):
    """The sensitivity of a value. A greater class includes the rules of the lesser ones."""

    PUBLIC = 0
    PHI = 1
    SECRET = 2


PUBLIC = DataClass.PUBLIC
PHI = DataClass.PHI
SECRET = DataClass.SECRET

Example = Mapping[str, Any]
"""A message as it looks on the wire. It is published with its schema; a test validates it."""

_T = TypeVar("_T")
Public = Annotated[_T, DataClass.PUBLIC]
Phi = Annotated[_T, DataClass.PHI]
Secret = Annotated[_T, DataClass.SECRET]


class Trusting:
    """A part of a model's class: `model_construct` builds a model of valid values in half of the time of validation.

    Use it where the types of the code guarantee valid values. A test compares the JSON with that of validated models.
    """

    _DEFAULTS: ClassVar[dict[str, Any]]
    """The default of each field in declared order, which is the order of the JSON."""
    _KEEPS_UNKNOWN: ClassVar[bool]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Prepare the construction."""
        model = cast("type[BaseModel]", cls)
        cls._DEFAULTS = {name: field.get_default() for name, field in model.__pydantic_fields__.items()}
        cls._KEEPS_UNKNOWN = model.model_config.get("extra") == "allow"

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Return a model of these values under the names that code uses. mypy checks names and types."""
        return cls.of_all(cls._DEFAULTS | values, _fields_set or set(values))

    @classmethod
    def of_all(cls, values: dict[str, Any], fields_set: set[str]) -> Self:
        """Return a model of a value for each field; the dict becomes the model's own."""
        # pydantic's own steps, without the search for aliases, which costs more than a validation.
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        object.__setattr__(made, "__pydantic_fields_set__", fields_set)
        object.__setattr__(made, "__pydantic_extra__", {} if cls._KEEPS_UNKNOWN else None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made


class _Shown(BaseModel):
    """A model whose repr shows public values only."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            shown = name in type(self).model_fields and declared(type(self), str(name)) is PUBLIC
            yield name, value if shown or value is None or isinstance(value, BaseModel) else Hidden()


class Hidden:
    """A placeholder in a repr for a value that is not public."""

    def __repr__(self) -> str:
        return "<hidden>"


def _mark(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add each field's data class to the schema, and make the type of a variant required."""
    for name, info in model.model_fields.items():
        field = schema["properties"][info.alias or name]
        field["x-data-class"] = data_class(model, name).name.lower()
        if "const" in field:
            field.pop("default", None)
            schema["required"] = [*schema.get("required", []), info.alias or name]


class Model(Trusting, _Shown):
    """A message of the gateway or of its callers."""

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
    """Whether the published schema allows unknown fields, so that new ones can be added."""

    def to_json(self) -> bytes:
        """Return compact JSON: camelCase, no null values, fields in declared order."""
        # `model_dump_json` is a text made from these bytes, at half as much again.
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)

    @classmethod
    def from_caller(cls, data: bytes | str) -> Self:
        """Read strict JSON: unknown fields and invisible characters are errors.

        Raises pydantic.ValidationError if the JSON does not fit the model.
        """
        return cls.model_validate_json(data, by_alias=True, by_name=False, context=FROM_CALLER)

    @classmethod
    def from_record(cls, data: bytes | str) -> Self:
        """Read JSON that a newer version may have written: unknown fields are dropped.

        Raises pydantic.ValidationError if the JSON does not fit the model.
        """
        return cls.model_validate_json(data, by_alias=True, by_name=False, extra="ignore")


class OpenModel(Model):
    """A model that may get new fields: its published schema allows unknown ones."""

    open_on_the_wire: ClassVar[bool] = True


class Message(Model):
    """The data of a Kafka record."""

    TYPE: ClassVar[str]
    EXAMPLE: ClassVar[Example]

    @classmethod
    def by_type(cls, types: Iterable[str]) -> MappingProxyType[str, type[Self]]:
        """Return the subclass of each type, in the order of the types. A type without an imported one is a KeyError."""
        models = {model.TYPE: model for model in _subclasses(cls) if "TYPE" in vars(model)}
        return MappingProxyType({str(type_): models[type_] for type_ in types})


def _subclasses(base: type[_T]) -> Iterator[type[_T]]:
    for model in base.__subclasses__():
        yield model
        yield from _subclasses(model)


class Tolerant(_Shown):
    """A message of Collate."""

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
        """Read the body of a response. Raises pydantic.ValidationError if the body does not fit the model."""
        return cls.model_validate_json(data, by_alias=True, by_name=False)


def declared(model: type[BaseModel], field: str) -> DataClass | None:
    """Return the field's own data class: the greatest one declared, or None without a declaration."""
    info = model.model_fields[field]
    found = [mark for mark in info.metadata if isinstance(mark, DataClass)]
    found.extend(mark for mark in _marks(info.annotation) if mark is not None)
    return max(found) if found else None


def data_class(model: type[BaseModel], field: str) -> DataClass:
    """Return the data class of a field: at least the greatest one of the models inside the field."""
    own = declared(model, field)
    inner = [data_class(nested, name) for nested in nested_models(model, field) for name in nested.model_fields]
    if own is None:
        return max(inner, default=PHI)
    return max([own, *inner])


@cache
def is_confidential(model: type[BaseModel]) -> bool:
    """Return whether a field of the model, at any depth, is PHI or a secret."""
    return any(data_class(model, name) is not PUBLIC for name in model.model_fields)


def nested_models(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    """Return the models inside a field's type, at any depth of unions and containers."""
    return [part for part in _parts(model.model_fields[field].annotation) if _is_model(part)]


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in typing.get_args(annotation):
        yield from _parts(argument)


def _marks(annotation: Any) -> Iterator[DataClass | None]:
    """Yield the data classes in a type. A data class inside a list or a dict does not apply to the whole field."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = typing.get_args(annotation)
        yield from (mark for mark in metadata if isinstance(mark, DataClass))
        yield from _marks(inner)
    elif origin is typing.Union or origin is UnionType:
        for argument in typing.get_args(annotation):
            yield from _marks(argument)
