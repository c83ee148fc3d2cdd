"""Which operations the pages of developers offer to try, and the call that a form asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.console.api import Call, operations
from gateway.console.views.code import snake
from gateway.console.views.documents import OperationPage, ParameterRow
from schemas.api.operation import JSON, ApiOperation
from schemas.api.operations import OPERATIONS
from schemas.api.queries import OperatorQuery

_METADATA: Final = "metadata"


class NotOffered(StrEnum):
    """Why the console does not send an operation that a developer wants to try."""

    CHANGES = "changes"
    CONTENT = "content"
    STREAM = "stream"
    FILE = "file"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MissingParameters:
    """The parameters without which the request has no address."""

    names: tuple[str, ...]


def why_not_offered(operation: ApiOperation) -> NotOffered | None:
    """Return why the console does not send the operation; None if it does.

    A read of content (PHI) is on record under the reader's name, so it has an `operator`.
    """
    if operation.method != "GET":
        return NotOffered.CHANGES
    if operation.needs_second_factor or (operation.query is not None and issubclass(operation.query, OperatorQuery)):
        return NotOffered.CONTENT
    if operation.media_type != JSON:
        return NotOffered.STREAM
    return NotOffered.FILE if operation.is_public else None


_WHY_NOT: Final = {operation.id: why_not_offered(operation) for operation in OPERATIONS}


def why_not(operation_id: str) -> NotOffered | None:
    """Return why the console does not send an operation of the served document, which may be newer than the console."""
    return _WHY_NOT.get(operation_id, NotOffered.UNKNOWN)


def parameters_of(page: OperationPage) -> tuple[ParameterRow, ...]:
    """Return the parameters that a form asks for: those of the path and the query."""
    return tuple(row for row in page.parameters if row.place in {"path", "query"})


def given_values(page: OperationPage, form: Mapping[str, str]) -> dict[str, object]:
    """Return the parameters that a form has. `metadata` has pairs such as `case=c-7 team=x`."""
    given: dict[str, object] = {}
    for row in parameters_of(page):
        if text := form.get(row.name, "").strip():
            given[row.name] = int(text) if row.type == "integer" and text.isdecimal() else text
    if pairs := [pair.partition("=") for pair in form.get(_METADATA, "").split()]:
        given[_METADATA] = {key: value for key, _, value in pairs}
    return given


def call_of(page: OperationPage, given: Mapping[str, object]) -> Call[object] | MissingParameters:
    """Return the call of an offered operation."""
    rows = parameters_of(page)
    if missing := tuple(row.name for row in rows if row.is_required and row.name not in given):
        return MissingParameters(missing)
    path = [given[name] for name in page.places]
    query = {row.name: given[row.name] for row in rows if row.place == "query" and row.name in given}
    call: Call[object] = getattr(operations, snake(page.line.id))(*path, *([query] if query else []))
    return call
