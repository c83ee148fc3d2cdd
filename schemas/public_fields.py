"""What of a message may be stored: fields whose data class is public, leaf by leaf; what is undeclared is not."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from schemas.model import PUBLIC, Model, data_class, declared


def public_json(model: Model, *, without: set[str] | None = None) -> str:
    """Return the public part of a message as JSON, camelCase and without what is absent."""
    # Not model_dump_json, whose twenty arguments cost as much as the work.
    return model.__pydantic_serializer__.to_json(
        model,
        by_alias=True,
        exclude_none=True,
        exclude=without,
        include=None if _is_public(type(model)) else _included(model),
    ).decode()


@cache
def _is_public(model: type[BaseModel]) -> bool:
    return all(data_class(model, name) is PUBLIC for name in model.model_fields)


@cache
def _is_leaf(model: type[BaseModel], name: str) -> bool:
    return declared(model, name) is PUBLIC and data_class(model, name) is PUBLIC


def _included(model: BaseModel) -> dict[str, Any]:
    """Name the public leaves; a model inside is asked for its own, whatever its field says of the whole."""
    included: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            if inner := _included(value):
                included[name] = inner
        elif _is_leaf(type(model), name):
            included[name] = True
    return included
