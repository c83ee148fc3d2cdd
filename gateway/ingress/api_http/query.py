"""The query of a request as its model. Functions raise InvalidParameter, which names the value and quotes no input."""

import json
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request

from gateway.ingress.api_http.api_problems import InvalidParameter
from runtime.http_server.problem import Fault
from schemas.api.cursor import CursorInvalid, read_cursor
from schemas.api.faults import faults
from schemas.api.queries import METADATA, Query

_MAX_TERMS = 200  # two parameters of 100 values each

Parsed = TypeVar("Parsed", bound=Query)


def read_query(request: Request, model: type[Parsed]) -> Parsed:
    """Return the query of a request."""
    return parse_query(request.scope["query_string"], model)


def parse_query(query: bytes, model: type[Parsed]) -> Parsed:
    """Return a query. Each parameter must be of the model, of its shape, and given once unless it is repeatable."""
    try:
        terms = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_TERMS)
    except ValueError:
        raise invalid_parameter(Fault(f"at most {_MAX_TERMS} parameters", parameter="query")) from None
    known = model.parameters()
    values: dict[str, Any] = {}
    pairs: dict[str, str] = {}
    for sent, value in terms:
        name, key = ("metadata", sent.removeprefix(METADATA)) if sent.startswith(METADATA) else (sent, None)
        if name not in known or (name == "metadata" and key is None):
            names = ", ".join(f"{METADATA}KEY" if name == "metadata" else name for name in known)
            raise invalid_parameter(Fault(f"no parameter but {names}" if names else "no parameters", parameter="query"))
        if known[name]:
            values.setdefault(name, []).append(value)
        elif key in pairs if key is not None else name in values:
            raise invalid_parameter(Fault("one value", parameter=name))
        elif key is not None:
            pairs[key] = value
        else:
            values[name] = value
    try:
        return model.from_caller(json.dumps(values | ({"metadata": pairs} if pairs else {})))
    except ValidationError as error:
        found = {fault.pointer.split("/")[1]: fault.expected for fault in faults(error)}
        raise invalid_parameter(*(Fault(expected, parameter=name) for name, expected in found.items())) from None


def read_after(cursor: str | None, *types: type) -> Any:
    """Return the sort key after which a page starts, with values of these types. Without a cursor return None."""
    if cursor is None:
        return None
    try:
        return read_cursor(cursor, *types)
    except CursorInvalid:
        raise invalid_parameter(Fault("`next` of the previous page, unchanged", parameter="cursor")) from None


def invalid_parameter(*found: Fault) -> InvalidParameter:
    """Return the problem of these parameters."""
    return InvalidParameter("Correct the query.", faults=found)
