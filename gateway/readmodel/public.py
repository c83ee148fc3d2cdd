"""What of a message may be stored: fields whose data class is public, leaf by leaf; what is undeclared is not."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from schemas.model import PUBLIC, Model, data_class, declared


def public_json(model: Model) -> str:
    """Return the public part of a message as JSON, camelCase and without what is absent."""
    if _is_public(type(model)):
        return model.to_json().decode()
    return model.model_dump_json(by_alias=True, exclude_none=True, include=_included(model))


@cache
def _is_public(model: type[BaseModel]) -> bool:
    return all(data_class(model, name) is PUBLIC for name in model.model_fields)


def _included(model: BaseModel) -> dict[str, Any]:
    """Name the public leaves; a model inside is asked for its own, whatever its field says of the whole."""
    included: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            if inner := _included(value):
                included[name] = inner
        elif declared(type(model), name) is PUBLIC and data_class(type(model), name) is PUBLIC:
            included[name] = True
    return included
