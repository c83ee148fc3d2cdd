"""The part of a message that may be stored: the fields with the data class public, at every depth."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from schemas.model import PUBLIC, Model, data_class, declared


def public_json(model: Model, *, without: set[str] | None = None) -> str:
    """Return the public part of a message as JSON: camelCase, without absent values."""
    return model.model_dump_json(
        by_alias=True,
        exclude_none=True,
        exclude=without,
        include=None if _is_public(type(model)) else _included(model),
    )


@cache
def _is_public(model: type[BaseModel]) -> bool:
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
