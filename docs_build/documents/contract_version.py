"""The rule of `info.version` in the OpenAPI document: the version of the contract, compared with the last release.

A document that adds to the contract has a greater minor version, and one that changes words only has a greater patch.
Incompatible changes do not exist within a major version: `compatibility` finds them.
"""

from typing import Any, Final

Json = dict[str, Any]
_WORDS: Final = frozenset({"info", "tags", "summary", "description", "example", "examples", "links", "title"})
# The keys below these are names of the contract, such as a field `description`.
_NAMES: Final = frozenset({"properties", "schemas", "parameters", "responses", "headers", "paths", "securitySchemes"})


def required_version(released: Json, today: Json) -> tuple[int, int, int]:
    """Return the lowest version that today's document may have."""
    major, minor, patch = version(released)
    if contract(released) != contract(today):
        return major, minor + 1, 0
    return (major, minor, patch + 1) if _without_version(released) != _without_version(today) else (major, minor, patch)


def version(document: Json) -> tuple[int, int, int]:
    """Return the version of a document. Raises ValueError if it is not three numbers."""
    major, minor, patch = (int(number) for number in str(document["info"]["version"]).split("."))
    return major, minor, patch


def contract(value: Any, *, has_names: bool = False) -> Any:
    """Return the part of a document that a program can notice: without words, examples and links."""
    if isinstance(value, list):
        return [contract(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: contract(inner, has_names=key in _NAMES and not has_names)
        for key, inner in value.items()
        if has_names or key not in _WORDS
    }


def _without_version(document: Json) -> Json:
    return document | {"info": {key: value for key, value in document["info"].items() if key != "version"}}
