"""Strict JSON: one object in UTF-8, no repeated names, no NaN, bounded depth. Pure.

The models check the fields. No message quotes the body.
"""

import json
import re
from typing import Any, NoReturn

from gateway.ingress.api_http.api_problems import MalformedJson

MAX_DEPTH = 16
# Possessive (`*+`), so that an unterminated string takes one pass.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


class _RepeatedName(ValueError):
    """An object has a name twice."""


class _NotANumber(ValueError):
    """NaN or an infinity."""


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _RepeatedName
    return fields


def _reject_constant(_: str) -> NoReturn:
    raise _NotANumber


_decoder = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_reject_constant)


def read_object(body: bytes) -> dict[str, Any]:
    """Read one JSON object. Raises MalformedJson with what to fix."""
    document = _read(body, "object")
    if not isinstance(document, dict):
        raise MalformedJson("Send one JSON object, in braces.")
    return document


def read_array(body: bytes) -> list[Any]:
    """Read one JSON array of any values. Raises MalformedJson with what to fix."""
    document = _read(body, "array")
    if not isinstance(document, list):
        raise MalformedJson("Send one JSON array, in brackets.")
    return document


def _read(body: bytes, expected: str) -> Any:
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(body)
    try:
        return _decoder.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedJson("Send the body in UTF-8.") from None
    except _RepeatedName:
        raise MalformedJson("Name each field once: an object has the same name twice.") from None
    except _NotANumber:
        raise MalformedJson("Send plain JSON numbers: NaN and Infinity are not JSON.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"Send one JSON {expected}: the body is malformed at line {error.lineno}, column {error.colno}."
        ) from None
    except (ValueError, RecursionError):
        raise MalformedJson("Send smaller numbers and less nesting.") from None


def _check_depth(body: bytes) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"{[" else -1
        if depth > MAX_DEPTH:
            raise MalformedJson(f"Nest less: at most {MAX_DEPTH} levels are allowed.")
