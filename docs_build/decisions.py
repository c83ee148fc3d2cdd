"""The decision about every combination of what the table reads, as a tree in which equal branches are merged.

`make docs` writes docs_build/decisions.json, so that a commit shows each decision that it changes. `make decisions`
lists each decision that differs from the last release: an upgrade decides the commands that wait by the new table.
"""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from consumers.applier.decision.decide import AlreadyDone, Decision, Reject, RereadLater, Watch, Write, decide
from consumers.applier.decision.decision_input import DecisionInput
from consumers.authorization.facts import Observed
from consumers.authorization.observation import MissingAuthorization
from consumers.authorization.state import NEW, AuthorizationState, Claim, Closer, CommandRef, Handoff, Known
from docs_build.baseline import released_json
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import HandoffResult, ManualHandoff
from schemas.commands import (
    AuthorizationWatch,
    CallerCommand,
    Completed,
    HandoffClose,
    HandoffRequest,
    Revoked,
    UnableToComplete,
)
from schemas.enums import ReportedOutcome

PATH: Final = "docs_build/decisions.json"

_ANY: Final = "any"
_OR: Final = " | "
Tree = str | dict[str, "Tree"]

_STATUSES: Final = ("requires_action", "processing", "waiting_on_payer", "completed", "canceled", "unknown")
_ACTIONS: Final = (
    "none",
    "resolve_requirements",
    "continue_authorization",
    "approve_submission",
    "complete_payer_interaction",
    "unknown",
)
_KINDS: Final = ("none", "manual_handoff", "confirm", "unknown")
_HANDOFF_STATES: Final = ("offered", "active", "closing", "closed", "unknown")
_RESULTS: Final = ("none", *(result.value for result in HandoffResult), "unknown")
_COVERED: Final = ("none", "rev_1", "rev_2")
_POINTERS: Final = ("none", "mh_1")
_WAITS: Final = (0, 60, 600)
_SUBMITTED: Final = Completed(reported_outcome=ReportedOutcome.SUBMITTED)
_PAYLOADS: Final = MappingProxyType[str, CallerCommand](
    {
        "handoff.request": HandoffRequest(),
        "handoff.request accepting rev_1": HandoffRequest(accepted_review_snapshot_id="rev_1"),
        "authorization.watch": AuthorizationWatch(),
        "handoff.close completed": HandoffClose(handoff_id="mh_1", result=_SUBMITTED),
        "handoff.close unable_to_complete": HandoffClose(handoff_id="mh_1", result=UnableToComplete(reason="other")),
        "handoff.close revoked": HandoffClose(handoff_id="mh_1", result=Revoked(reason="r")),
    }
)

# Who closes: the path of the tree, and the caller that may close only its own handoffs, or the person.
_ANYBODY: Final = MappingProxyType[tuple[str, ...], tuple[str | None, str | None]]({(): (None, None)})
_CLOSERS: Final = MappingProxyType[tuple[str, ...], tuple[str | None, str | None]](
    {
        ("anybody",): (None, None),
        ("only its own, the opener",): ("desk", None),
        ("only its own, another",): ("intake", None),
        ("a person, another has it in hand",): (None, "people:sam"),
    }
)


def _read(status: str, **handoff: Any) -> AuthorizationState:
    return AuthorizationState(floor=5, known=Known(version=5, status=status), **handoff)


_OPEN: Final = Handoff(
    id="mh_1",
    state="active",
    seen_at=1.0,
    open_version=4,
    opener=CommandRef(command_id="o", caller="desk"),
    claim=Claim(caller="people:jo", since=1.0),
)
_OURS: Final = Handoff(
    id="mh_1",
    state="closed",
    seen_at=1.0,
    open_version=4,
    result="completed_reported",
    by="us",
    reported="submitted",
    closer=Closer(caused_by=CommandRef(command_id="c"), operation="complete", reported="submitted"),
)
_STATES: Final = MappingProxyType(
    {
        "nothing stored": NEW,
        "a higher version stored": AuthorizationState(floor=9, known=Known(version=9, status="processing")),
        "mh_1 open": _read("processing", active=_OPEN),
        "mh_1 closing": _read("processing", active=_OPEN.replace(state="closing")),
        "mh_1 closed by us": _read("processing", last=_OURS, ended=("mh_1",)),
        "mh_1 closed by us at this version": _read(
            "requires_action", last=_OURS.replace(open_version=5), ended=("mh_1",)
        ),
    }
)


class Combination(NamedTuple):
    """One combination: its path in the tree, and the input of its decision."""

    path: tuple[str, ...]
    now: DecisionInput


def combinations() -> Iterator[Combination]:
    """Return every combination."""
    observations = tuple(_observations())
    for (command, payload), (stored, state) in itertools.product(_PAYLOADS.items(), _STATES.items()):
        closers = _CLOSERS if isinstance(payload, HandoffClose) else _ANYBODY
        for (who, (only, person)), waited, (shown, observation) in itertools.product(
            closers.items(), _WAITS, observations
        ):
            now = DecisionInput.of(
                payload, observation, state, waited_seconds=float(waited), only_opener=only, person=person
            )
            yield Combination((command, *who, stored, *shown, f"waited {waited} s"), now)


def _observations() -> Iterator[tuple[tuple[str, ...], Observed | MissingAuthorization]]:
    yield ("not found",), MissingAuthorization()
    for status, action, kind, covered, pointer in itertools.product(_STATUSES, _ACTIONS, _KINDS, _COVERED, _POINTERS):
        found = _authorization(status, action, kind, covered, pointer)
        yield ("no handoff read", status, action, kind, f"covers {covered}", f"names {pointer}"), Observed(found)
    for state, result, status, pointer in itertools.product(_HANDOFF_STATES, _RESULTS, _STATUSES, _POINTERS):
        handoff = ManualHandoff(
            id="mh_1", version=1, state=state, result=_absent(result), prior_authorization_id="auth_1"
        )
        found = _authorization(status, "complete_payer_interaction", pointer=pointer)
        yield ("mh_1 read", state, f"result {result}", status, f"names {pointer}"), Observed(found, (handoff,))
    for status, action in itertools.product(_STATUSES, _ACTIONS):
        yield ("names a handoff without an id", status, action), Observed(_authorization(status, action, pointer=None))


def _absent(word: str) -> str | None:
    return None if word == "none" else word


def _authorization(
    status: str, action: str, kind: str = "none", covered: str = "none", pointer: str | None = "none"
) -> PriorAuthorization:
    resolution = {} if kind == "none" else {"resolution": {"kind": kind}}
    covers = {} if covered == "none" else {"covers": {"reviewSnapshotId": covered}}
    wire: dict[str, Any] = {"id": "auth_1", "version": 5, "status": status}
    if action != "none":
        wire["nextAction"] = {"type": action, **resolution, **covers}
    if pointer != "none":
        wire["activeManualHandoff"] = {"session": "s"} if pointer is None else {"id": pointer}
    return PriorAuthorization.model_validate(wire)


@cache
def text() -> str:
    """Return the text of the golden file."""
    return json.dumps(tree(), indent=1) + "\n"


def tree() -> Tree:
    """Return the decision of each combination as a tree; equal branches are merged, and one for all names is `any`."""
    root: dict[str, Any] = {}
    for path, now in combinations():
        branch = root
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
        branch[path[-1]] = _shown(decide(now))
    return _folded(root)


def _folded(branch: Tree) -> Tree:
    if isinstance(branch, str):
        return branch
    merged: dict[str, tuple[Tree, list[str]]] = {}
    for name, part in branch.items():
        folded = _folded(part)
        merged.setdefault(json.dumps(folded), (folded, []))[1].append(name)
    parts = list(merged.values())
    if len(parts) == 1:
        return parts[0][0] if isinstance(parts[0][0], str) else {_ANY: parts[0][0]}
    return {_OR.join(names): folded for folded, names in parts}


def _part(branch: Tree, name: str) -> Tree | None:
    if isinstance(branch, str):
        return branch
    return next((part for names, part in branch.items() if name in names.split(_OR) or names == _ANY), None)


def _shown(decision: Decision) -> str:
    match decision:
        case Reject(reason=reason):
            return f"rejected: {reason.value}"
        case RereadLater(reason=wait):
            return f"wait: {wait.value}"
        case Write():
            return "write"
        case AlreadyDone():
            return "already done"
        case Watch():
            return "watch"


def differences(before: Tree | None, after: Tree | None, path: tuple[str, ...] = ()) -> Iterable[str]:
    """Return each decision that differs, with both; not those of combinations that only one of the trees has."""
    if before is None or after is None or before == after:
        return
    if isinstance(before, str) and isinstance(after, str):
        yield f"{' / '.join(path)}: {before} -> {after}"
        return
    names = [name for one in (before, after) if isinstance(one, dict) for names in one for name in names.split(_OR)]
    given = [name for name in dict.fromkeys(names) if name != _ANY]
    for name in given or [_ANY]:
        yield from differences(_part(before, name), _part(after, name), (*path, name))


def since_release() -> list[str] | None:
    """Return each decision that differs from the last release; None before the first one. Raises NoTag."""
    before = released_json(PATH)
    return None if before is None else list(differences(before, tree()))


if __name__ == "__main__":
    found = since_release()
    lines = ["no release yet"] if found is None else [*found, f"{len(found)} decisions differ from the last release"]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
