"""The fields of a posted form. Starlette's own parser needs another package; `urllib.parse` needs none."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request

from console.errors import PageError

MOST_FIELDS: Final = 200
_TYPE: Final = "application/x-www-form-urlencoded"

Form = ImmutableMultiDict[str, str]
"""The fields: `form["name"]` is the last value, `form.getlist("name")` all of them."""


async def read_form(request: Request) -> Form:
    """Return the fields of the body. Raises PageError: 415, 400. `BodyBound` raises 408 and 413."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise PageError(415, "Not a form", "Go back and use the page's own button.")
    body = await request.body()
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise PageError(400, "The form can't be read", "Load the page again and fill in the form again.") from None
    return Form(fields)
