"""JSON as we read it: one object, UTF-8, no doubled names, no NaN, no depth.

Pure. What a field may hold is the model's business. No message shows anything of the body.
"""

import json
import re
from typing import Any, NoReturn

from gateway.ingress.http.problems import MalformedJson

DEEPEST = 16
# Possessive, so that an unterminated string costs one pass.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


class _DoubledName(ValueError):
    """A name stands twice in one object."""


class _NotANumber(ValueError):
    """NaN or an infinity."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DoubledName
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise _NotANumber


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def read_object(body: bytes) -> dict[str, Any]:
    """Read one JSON object; raises MalformedJson with what to fix."""
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        _refuse_depth(body)
    try:
        document = _decoder.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedJson("Send the body in UTF-8.") from None
    except _DoubledName:
        raise MalformedJson("Name each field once: a name stands twice in one object.") from None
    except _NotANumber:
        raise MalformedJson("Send plain JSON numbers: NaN and Infinity are not JSON.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"Send one JSON object: reading stopped at line {error.lineno}, column {error.colno}."
        ) from None
    except (ValueError, RecursionError):
        raise MalformedJson("Send smaller numbers and less nesting: the body can't be read.") from None
    if not isinstance(document, dict):
        raise MalformedJson("Send one JSON object, in braces.")
    return document


def _refuse_depth(body: bytes) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"{[" else -1
        if depth > DEEPEST:
            raise MalformedJson(f"Nest less: {DEEPEST} levels are read.")
