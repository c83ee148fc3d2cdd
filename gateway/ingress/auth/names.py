"""The names of people in a request: from the token of a person, else as the service states (docs/decisions/0011)."""

from typing import TypeVar

from gateway.ingress.api_http.api_problems import InvalidCommand, NamesAnotherPerson, NotPermitted
from gateway.ingress.api_http.query import invalid_parameter
from gateway.ingress.api_http.request import invalid_command, parse
from gateway.ingress.api_http.strict_json import read_object
from gateway.ingress.auth.callers import Caller
from runtime.http_server.problem import Fault
from schemas.api.dead_letters import DeadLetterDecision, DeadLetterDecisions
from schemas.api.messages import AccessGrantBody
from schemas.api.operator_decisions import RecentCommandsDecision, VersionFloorDecision
from schemas.commands import Command, HandoffClose, HandoffRequest
from schemas.permissions import Permission

_YOUR_NAME = "your own name, as your token has it, or no such field"
_OPERATOR_MISSING = Fault("expected a value: a service must name the operator", pointer="/operator")
Named = TypeVar("Named", bound=Command)
Decided = TypeVar(
    "Decided", AccessGrantBody, DeadLetterDecision, DeadLetterDecisions, RecentCommandsDecision, VersionFloorDecision
)


def own_or_stated(caller: Caller, stated: str | None, fault: Fault) -> str | None:
    """Return a person's own name, or the name that a service states. `fault` is the place of the name.

    Raises NamesAnotherPerson.
    """
    if caller.person is None:
        return stated
    if stated is not None and stated != caller.person:
        raise NamesAnotherPerson(
            "Your token says who you are, and you can act for no other person. Nothing was done.",
            faults=(Fault(_YOUR_NAME, fault.pointer, parameter=fault.parameter),),
        )
    return caller.person


def parse_with_operator(caller: Caller, model: type[Decided], body: bytes) -> tuple[Decided, str]:
    """Parse a body that may name the operator; return it and the operator. A service must name the operator.

    Raises MalformedJson, NamesAnotherPerson, and InvalidCommand with every fault of the body.
    """
    is_missing = caller.person is None and read_object(body).get("operator") is None
    try:
        parsed = parse(model, body)
    except InvalidCommand as problem:
        problem.faults += (_OPERATOR_MISSING,) * is_missing
        raise
    name = own_or_stated(caller, parsed.operator, Fault("", pointer="/operator"))
    if name is None:
        raise InvalidCommand("Correct the fields named in `errors`. Nothing was done.", faults=(_OPERATOR_MISSING,))
    return parsed, name


def operator_in_query(caller: Caller, stated: str | None) -> str | None:
    """Return the operator of a request whose query may name one. Raises NamesAnotherPerson."""
    return own_or_stated(caller, stated, Fault("", parameter="operator"))


def required_operator(caller: Caller, stated: str | None) -> str:
    """Return the operator of a query that a service must name. Raises NamesAnotherPerson and InvalidParameter."""
    name = operator_in_query(caller, stated)
    if name is None:
        raise invalid_parameter(Fault("a value: a service must name the operator", parameter="operator"))
    return name


def with_names(caller: Caller, command: Named, under: str = "") -> Named:
    """Return the command with the names of the person who sends it; a service's command is unchanged.

    Only a person who may read a review can accept it; a service must name the reviewer. `under` is the JSON pointer of
    the command's data. Raises NamesAnotherPerson, InvalidCommand and NotPermitted.
    """
    accepts = isinstance(command, HandoffRequest) and command.accepted_review_snapshot_id is not None
    if isinstance(command, HandoffRequest) and (fault := _fault_of_reviewer(caller, command)):
        raise invalid_command(Fault(fault, f"{under}/acceptedBy"))
    if caller.person is not None and accepts and Permission.AUTHORIZATION_REVIEW not in caller.permissions:
        raise NotPermitted(
            f"To accept a review snapshot you need the permission {Permission.AUTHORIZATION_REVIEW} too. "
            "The command was not accepted. Let a person with this permission review it and request the handoff."
        )
    if caller.person is None:
        return command
    match command:
        case HandoffRequest():
            requested_by = own_or_stated(caller, command.requested_by, Fault("", f"{under}/requestedBy"))
            accepted_by = own_or_stated(caller, command.accepted_by, Fault("", f"{under}/acceptedBy"))
            names = {"requested_by": requested_by, "accepted_by": accepted_by if accepts else None}
        case HandoffClose():
            names = {"reported_by": own_or_stated(caller, command.reported_by, Fault("", f"{under}/reportedBy"))}
        case _:
            return command
    return command.model_copy(update=names)


def _fault_of_reviewer(caller: Caller, request: HandoffRequest) -> str | None:
    """Return why `acceptedBy` does not go with the accepted snapshot; None if it does."""
    if request.accepted_review_snapshot_id is None:
        return None if request.accepted_by is None else "expected no such field without acceptedReviewSnapshotId"
    if caller.person is None and request.accepted_by is None:
        return "expected a value: a service must name the person who accepted the review snapshot"
    return None
