"""The part of a message that may be stored: the fields with the data class public, at every depth."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_json

from schemas.model import PUBLIC, Model, data_class, declared, nested_models

_M = TypeVar("_M", bound=Model)
_ENCRYPTED = "encrypted"
"""What a record shows of a required text that is not public."""


def public_json(model: Model, *, without: set[str] | None = None) -> str:
    """Return the public part of a message as JSON: camelCase, without absent values."""
    excluded = _excluded(model) | dict.fromkeys(without or (), True)
    return model.model_dump_json(by_alias=True, exclude_none=True, exclude=excluded)


def public_fields(model: Model) -> dict[str, Any]:
    """Return the values of `public_json`."""
    return model.model_dump(mode="json", exclude_none=True, exclude=_excluded(model))


def public_part(model: Model) -> Model:
    """Return a valid message of the same type without the fields that are not public, for readers without keys.

    A required field has a placeholder: the text `encrypted`, or an empty object.
    """
    shown = model.__dict__.copy()
    for name, is_required in _hidden(type(model)):
        value = shown[name]
        if isinstance(value, Model):
            shown[name] = public_part(value)
        elif value is None or not is_required:
            shown[name] = None
        else:
            shown[name] = _ENCRYPTED if isinstance(value, str) else {}
    return model.of_all(shown, model.model_fields_set)


def read_public(model: type[_M], stored: Mapping[str, Any]) -> _M:
    """Read what `public_json` wrote. A required field that is not public has the placeholder of `public_part`.

    Raises pydantic.ValidationError if it is not the public part of such a message.
    """
    return model.from_record(to_json(_completed(model, stored)))


def _completed(model: type[BaseModel], stored: Mapping[str, Any]) -> dict[str, Any]:
    completed = dict(stored)
    for name, is_required in _hidden(model):
        field = model.model_fields[name]
        alias = field.alias or name
        if isinstance(value := stored.get(alias), dict):
            for variant in nested_models(model, name):
                if variant.model_fields["type"].default in {PydanticUndefined, value.get("type")}:
                    completed[alias] = _completed(variant, value)
        elif value is None and is_required:
            completed[alias] = _ENCRYPTED if field.annotation is str else {}
    return completed


@cache
def _hidden(model: type[BaseModel]) -> list[tuple[str, bool]]:
    """Return the fields that are not public, at every depth, and whether each is required."""
    return [
        (name, field.is_required())
        for name, field in model.model_fields.items()
        if declared(model, name) is not PUBLIC or data_class(model, name) is not PUBLIC
    ]


@cache
def is_public(model: type[BaseModel]) -> bool:
    """Whether every field of a model is public, at every depth."""
    return all(data_class(model, name) is PUBLIC for name in model.model_fields)


def _excluded(model: BaseModel) -> dict[str, Any]:
    """Return the fields that are not public. A nested model's own fields count, not the class of its field."""
    return {
        name: _excluded(value) if isinstance(value := getattr(model, name), BaseModel) else True
        for name, _ in _hidden(type(model))
    }
