"""The part of a message that may be stored: the fields with the data class public, at every depth."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from schemas.model import PUBLIC, Model, data_class, declared

_ENCRYPTED = "encrypted"
"""What a record shows of a required text that is not public."""


def public_json(model: Model, *, without: set[str] | None = None) -> str:
    """Return the public part of a message as JSON: camelCase, without absent values."""
    return model.model_dump_json(
        by_alias=True,
        exclude_none=True,
        exclude=without,
        include=None if is_public(type(model)) else _included(model),
    )


def public_part(model: Model) -> Model:
    """Return a valid message of the same type without the fields that are not public, for readers without keys.

    A required field has a placeholder: the text `encrypted`, or an empty object.
    """
    hidden: dict[str, Any] = {}
    for name, is_required in _hidden(type(model)):
        value = getattr(model, name)
        if isinstance(value, Model):
            hidden[name] = public_part(value)
        elif value is None or not is_required:
            hidden[name] = None
        else:
            hidden[name] = _ENCRYPTED if isinstance(value, str) else {}
    return model.model_construct(**model.__dict__ | hidden)


@cache
def _hidden(model: type[Model]) -> list[tuple[str, bool]]:
    """Return the fields that are not public, at every depth, and whether each is required."""
    return [(name, field.is_required()) for name, field in model.model_fields.items() if not _is_leaf(model, name)]


@cache
def is_public(model: type[BaseModel]) -> bool:
    """Whether every field of a model is public, at every depth."""
    return all(data_class(model, name) is PUBLIC for name in model.model_fields)


@cache
def _is_leaf(model: type[BaseModel], name: str) -> bool:
    return declared(model, name) is PUBLIC and data_class(model, name) is PUBLIC


def _included(model: BaseModel) -> dict[str, Any]:
    """Return the public fields. A nested model's own fields count, not the data class of the field that holds it."""
    included: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            if inner := _included(value):
                included[name] = inner
        elif _is_leaf(type(model), name):
            included[name] = True
    return included
