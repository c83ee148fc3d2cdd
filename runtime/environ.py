"""Parsing of environment variables into a settings model, with all problems in one list.

Knows no particular setting. The only I/O is the check of files that settings name.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from runtime.exits import StartupError
from runtime.units import SizeUnit, show_duration, show_size

Model = TypeVar("Model", bound=BaseModel)
PREFIX = "GATEWAY_"
_SEPARATOR = "__"


class Section(BaseModel):
    """A group of settings, immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def contradictions(self) -> list[str]:
        """Return a sentence for each combination of settings that contradicts itself."""
        return []

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        found = self.contradictions()
        if found:
            raise PydanticCustomError("contradiction", "{sentences}", {"sentences": "; ".join(found)})
        return self


class SettingsInvalid(StartupError):
    """The settings are invalid; `problems` lists each reason and its remedy."""

    title = "settings"
    hint = "\n`gateway config` shows the current settings; docs/configuration.md explains each of them."


def variable_name(path: tuple[str, ...]) -> str:
    """Return the environment variable of a setting, e.g. ("kafka", "bootstrap") -> GATEWAY_KAFKA__BOOTSTRAP."""
    return PREFIX + _SEPARATOR.join(part.upper() for part in path)


def setting_paths(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each setting of a model, in the order of its fields."""
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        if section is None:
            yield (*path, name)
        else:
            yield from setting_paths(section, (*path, name))


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, or None if the field is a single setting."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def nest(environ: Mapping[str, str], known: type[BaseModel]) -> tuple[dict[str, Any], list[str]]:
    """Return the GATEWAY_ variables as a nested dict, and a problem for each unknown key."""
    names = {variable_name(path): path for path in setting_paths(known)}
    nested: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in sorted(environ.items()):
        if not key.upper().startswith(PREFIX):
            continue
        path = names.get(key)
        if path is None:
            problems.append(_unknown(key, names))
            continue
        section = nested
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = value
    return nested, problems


def validate(model: type[Model], nested: dict[str, Any]) -> Model | list[str]:
    """Build the model, or return one problem per missing setting, wrong setting and contradiction."""
    for name, field in model.model_fields.items():
        # For a section that is missing as a whole, pydantic then reports each setting that it requires.
        if field.is_required() and section_of(field.annotation) is not None:
            nested.setdefault(name, {})
    try:
        return model.model_validate(nested)
    except ValidationError as invalid:
        errors = invalid.errors(include_input=False, include_url=False)
        problems = [_problem(tuple(map(str, error["loc"])), error["type"], error["msg"]) for error in errors]
        partly_valid = {str(error["loc"][0]) for error in errors if len(error["loc"]) > 1}
        return problems + [
            f"{variable_name((name,))}{_SEPARATOR}…: {contradiction}"
            for name in model.model_fields
            if name in partly_valid
            for contradiction in _contradictions(section_of(model.model_fields[name].annotation), nested[name])
        ]


def _contradictions(section: type[BaseModel] | None, values: dict[str, Any]) -> list[str]:
    """Return the contradictions among the valid settings of a section that also has invalid ones."""
    if section is None or not issubclass(section, Section):
        return []
    valid: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if name not in values:
            valid.update({name: None} if field.is_required() else {})
            continue
        kind: Any = Annotated[field.annotation, field]
        try:
            valid[name] = TypeAdapter(kind).validate_python(values[name])
        except ValidationError:
            # A wrong value contradicts nothing until it is corrected.
            valid[name] = None if field.is_required() else field.get_default(call_default_factory=True)
    return section.model_construct(**valid).contradictions()


def file_problem(path: Path) -> str | None:
    """Return why a file can't be used, or None if it can."""
    if not path.exists():
        return f"{path} does not exist"
    if not path.is_file():
        return f"{path} is not a file"
    if not os.access(path, os.R_OK):
        return f"{path} can't be read by this process"
    if path.stat().st_size == 0:
        return f"{path} is empty"
    return None


def _unknown(key: str, names: Mapping[str, Any]) -> str:
    if key.upper() in names:
        return f"{key}: unknown; names are upper case: {key.upper()}"
    if any(name.startswith(key.upper() + _SEPARATOR) for name in names):
        return f"{key}: a section, not a setting; its settings are named {key.upper()}{_SEPARATOR}…"
    close = difflib.get_close_matches(key.upper(), names, n=1, cutoff=0.75)
    return f"{key}: unknown; did you mean {close[0]}?" if close else f"{key}: unknown"


def _problem(location: tuple[str, ...], kind: str, message: str) -> str:
    if kind == "missing":
        return f"{variable_name(location)}: required but not set"
    if not location:  # a contradiction between sections names its settings
        return message
    name = variable_name(location) + (f"{_SEPARATOR}…" if kind == "contradiction" else "")
    return f"{name}: {message.removeprefix('Value error, ')}"


def show_value(model: type[BaseModel], path: tuple[str, ...], value: object) -> str:
    """Format a setting's value as its environment variable accepts it; None becomes an empty string."""
    match value:
        case None:
            return ""
        case timedelta():
            return show_duration(value)
        case bool():
            return str(value).lower()
        case int() if any(isinstance(mark, SizeUnit) for mark in field_at(model, path).metadata):
            return show_size(value)
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def field_at(model: type[BaseModel], path: tuple[str, ...]) -> FieldInfo:
    """Return the declaration of the setting at the path; raises KeyError."""
    for part in path[:-1]:
        section = section_of(model.model_fields[part].annotation)
        if section is None:
            raise KeyError(path)
        model = section
    return model.model_fields[path[-1]]
