"""Every field of the answers that a verb shows to people: shown, or not shown with a reason.

A field is shown if another value of it, or its absence, changes the text. `--json` prints every field.
"""

import copy
import io
import re
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from rich.console import Console, Group

from cli.api_client import models
from cli.dead_letters import decisions, tables
from cli.history.status import shown_status
from cli.history.timeline import entry_of
from cli.lists.commands import COMMANDS
from cli.lists.work import WORK
from cli.top.screen import Seen, page

NOW = "2026-06-02T14:40:00Z"
TIMES = ("2026-06-02T15:09:00Z", "2026-06-01T02:03:00Z")
WIDTH = 2_000


def text_of(part):
    out = io.StringIO()
    Console(file=out, width=WIDTH, highlight=False).print(part)
    return out.getvalue()


class Answering:
    """A gateway that answers a decision with an outcome."""

    def __init__(self, answer):
        self.answer = answer

    def send(self, _call, _wait):
        return self.answer


def outcome_of(answer):
    letter = {"commandId": "c-1", "authorizationId": "auth_1", "redrive": 0}
    decision = decisions.Decision("redrive", "op-7", "other", None, None, 5.0, 10)
    reported = []
    decisions.decide_each(Answering(answer), [letter], decision, reported.append)
    return tables.result_line(reported[0])


@dataclass
class Shown:
    """An answer, the text that people see of it, and by reason the fields that it lacks.

    A reason may be for a field with fields of its own. One field may hide another, so the text is also made of the
    samples in `also`: each has other values by path, or None for an absent field.
    """

    model: Any
    text: Any
    not_shown: dict[str, str] = field(default_factory=dict)
    also: tuple[dict[str, Any], ...] = ()


OF_STATUS = "gateway status COMMAND shows it"
OF_TIMELINE = "gateway timeline AUTH shows it"
OF_ENTRY = "gateway dead-letters show COMMAND shows it"
OF_LIST = "the list above shows it"
FOR_PROGRAMS = "for programs"
KNOWN = "the operator has named it, or seen it in the list"
TABLE = {
    "commands": Shown(
        models.CommandStatus,
        lambda it: text_of(COMMANDS.columns.layout([it], NOW, WIDTH)),
        {
            OF_STATUS: "expiresAt finishedAt effect advice handoffId version redrive waiting.advice waiting.until "
            "waiting.lastCalls"
        },
        ({"outcome": None}, {"waiting": None}),
    ),
    "status": Shown(
        models.CommandStatus,
        lambda it: str(list(shown_status(it))),
        {"the time of the last of equal calls; the first and their number are shown": "waiting.lastCalls.until"},
        ({"waiting.lastCalls.status": None}, {"waiting.lastCalls.result": "not_sent"}),
    ),
    "work": Shown(
        models.WorkItem,
        lambda it: text_of(WORK.columns.layout([it], NOW, WIDTH)),
        {
            "`handoff` has the same handoff, with more": "activeHandoff",
            FOR_PROGRAMS: "sequence version updatedAt",
            OF_TIMELINE: "status outcome receiptSeen decisionSeen settledAt resolution overdueAt watchedSince "
            "watchEndedAt lastHandoff.id lastHandoff.result lastHandoff.by lastHandoff.closedAt "
            "lastHandoff.reportedBy lastHandoff.assertedBy handoff.openedAt handoff.state "
            "handoff.accessAvailable handoff.finalSubmitCapable handoff.grants handoff.metadata "
            "handoff.claim.caller handoff.claim.since handoff.lastGrant.assertedBy "
            "handoff.lastGrant.caller handoff.request.caller handoff.request.acceptedBy "
            "handoff.request.assertedBy",
            "the caller has set it, and filters by it with --metadata": "metadata",
            "the reason is shown; the time is a setting of the gateway": "handoff.risk.endsAt",
            "the authorization of the row": "handoff.authorizationId",
            "an open handoff has none": "handoff.closedAt handoff.collateClosedAt handoff.result handoff.closedBy "
            "handoff.report handoff.reported handoff.agreement",
        },
        (
            {"handoff": None},
            {"handoff": None, "nextAction": "complete_payer_interaction", "resolution": None},
            {"handoff": None, "lastHandoff.agreement": "contradicts"},
            {"handoff": None, "actionRequiredAt": None, "lastHandoff.agreement": "contradicts"},
            {"handoff.claim": None},
            {"handoff.claim": None, "handoff.lastGrant": None},
        ),
    ),
    "dead-letters list": Shown(
        models.DeadLetterSummary,
        lambda it: text_of(tables.DEAD_LETTERS.columns.layout([it], NOW, WIDTH)),
        {OF_ENTRY: "acceptedAt advice canRedrive"},
    ),
    "dead-letters list, its notes": Shown(
        models.DeadLetterList,
        lambda it: str(list(tables.DEAD_LETTERS.notes([{"commandId": "c-1"}], it))),
        {
            OF_LIST: "deadLetters",
            "--limit reads further pages": "next",
            "a part of the request of a decision about all": "at digest",
        },
    ),
    "dead-letters show": Shown(
        models.DeadLetterDetail,
        lambda it: text_of(tables.details(it, None)),
        {"the table has a row for each write": "writes", FOR_PROGRAMS: "partition offset"},
    ),
    "dead-letters show --reveal": Shown(
        models.DeadLetterOriginal,
        lambda it: text_of(tables.details(sample(models.DeadLetterDetail), it)),
        {KNOWN: "commandId"},
        ({"data": None},),
    ),
    "dead-letters redrive": Shown(
        models.CommandOutcome,
        outcome_of,
        {
            KNOWN: "commandId type authorizationId acceptedAt",
            OF_STATUS: "finishedAt version redrive metadata",
            "an answer with another status is no outcome": "status",
        },
    ),
    "timeline": Shown(
        models.TimelineEntry,
        lambda it: text_of(Group(*entry_of(it, WIDTH))),
        {"`says` has it in a sentence": "data"},
    ),
    "top": Shown(
        models.Overview,
        lambda it: text_of(page(Seen(it, ""), WIDTH)),
        {
            "the time from which the ages count": "at",
            "the page does not ask for it": "history",
            "the count is of the last ten minutes": "fullCallers.lastAt",
            "`gateway work` lists them": "work.person work.overdue work.contradicted work.waitingSince work.atRisk "
            "work.closedToday work.agreedToday "
            "work.claims.by work.claims.caller work.claims.handoffs",
            "pages for people show it": "work.turnedAway",
            "--admin URL of a deliverer shows them as they are now": "webhooks",
            OF_STATUS: "oldest.waiting.until oldest.waiting.lastCalls deadLetters.waiting.until "
            "deadLetters.waiting.lastCalls",
        },
        ({"oldest.waiting": None, "deadLetters.waiting": None},),
    ),
}


def fields(model, prefix=""):
    """Yield each field without fields of its own: its path, its type, and whether it may be absent."""
    for name, kind in get_type_hints(model).items():
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        if is_typeddict(inner):
            yield from fields(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, kind, name in model.__optional_keys__


def value_of(name, kind, which):
    """Return one of two values of a type."""
    if get_origin(kind) in {Union, UnionType}:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return get_args(kind)[which % len(get_args(kind))]
    if get_origin(kind) is dict:
        return {f"key{which}": value_of("", get_args(kind)[1], which)}
    if get_origin(kind) is list:
        return [value_of("", get_args(kind)[0], which)]
    if kind is str and re.search(r"(At|at|ince|ntil)$", name):
        return TIMES[which]
    return {str: f"word{which}.v1", int: which + 3, float: which + 3.5, bool: bool(which), object: f"any{which}"}[kind]


def sample(model):
    made = {}
    for name, kind in get_type_hints(model).items():
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        if is_typeddict(inner):
            made[name] = [sample(inner)] if get_origin(kind) is list else sample(inner)
        else:
            made[name] = value_of(name, kind, 0)
    return made


def changed(document, path, value):
    """Return the document with another value at the path; with None, without it."""
    document = copy.deepcopy(document)
    *outer, name = path.split(".")
    place = document
    for part in outer:
        place = place.get(part, {})
        place = place[0] if isinstance(place, list) else place
    if value is None:
        place.pop(name, None)
    elif name in place:
        place[name] = value
    return document


def samples(shown):
    """Return each sample with its text."""
    documents = []
    for values in ({}, *shown.also):
        document = sample(shown.model)
        for place, value in values.items():
            document = changed(document, place, value)
        documents.append((document, shown.text(document)))
    return documents


def is_hidden(shown, texts, path, kind, *, is_optional):
    others = [value_of(path.rpartition(".")[2], kind, 1), *([None] if is_optional else [])]
    return all(shown.text(changed(document, path, other)) == text for document, text in texts for other in others)


@pytest.mark.parametrize("verb", TABLE)
def test_every_field_is_shown_or_has_a_reason(verb):
    shown = TABLE[verb]
    texts = samples(shown)
    found = {
        path: is_hidden(shown, texts, path, kind, is_optional=is_optional)
        for path, kind, is_optional in fields(shown.model)
    }
    reasons = [key for paths in shown.not_shown.values() for key in paths.split()]
    excused = {path: [key for key in reasons if f"{path}.".startswith(f"{key}.")] for path in found}
    assert {path for path, hidden in found.items() if hidden != bool(excused[path])} == set()
    assert {key for keys in excused.values() for key in keys} == set(reasons)
