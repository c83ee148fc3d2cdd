"""Each field of each answer that the console reads: which template or view shows it, or why no page does.

A new field of the API needs a row here, so it cannot be missing on the pages of people by mistake.
"""

import ast
import re
import typing
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from collate_gateway_client import GatewayProblem, NotAnswered, operations
from collate_gateway_client.errors import Fault
from console.times import FILTERS
from console.views.words import WORDS

CONSOLE = Path(__file__).parents[3] / "console"
AUTHORIZATION, STATE, IN_HAND = "authorization_part.html", "workbench/state.html", "workbench/in_hand.html"
COMMAND, OVERVIEW, LETTER, LIST = "command_part.html", "overview_part.html", "dead_letters/one.html", "work_part.html"
LETTERS, CONFIRMATION, SOURCES = "dead_letters/list_part.html", "confirmation.py", "sources.py"
# Why a field is on no page.
KNOWN = "not shown: the page is about it, and has it from its address"
ELSEWHERE = "not shown: the command's or the authorization's own page shows it"
NAME_ENOUGH = "not shown: the name is enough; the timeline says who says so"
SECRET = "not shown: the link is only in the Location of a 303, and no page follows it"
BY_NAME = "shown by its name: dead_letters.py lists all fields of the situation"

# The names that templates have for an answer, then the places of its fields.
SHOWN = {
    "AccessGranted": ("", {"session.py": "url", SECRET: "id handoffId expiresAt message claimCheck"}),
    "ActiveHandoff": (
        "active",
        {
            AUTHORIZATION: "id accessAvailable finalSubmitCapable openedAt requestedBy claim",
            STATE: "state finalSubmitCapable",
            IN_HAND: "accessAvailable claim",
            NAME_ENOUGH: "assertedBy",
            "not shown: the timeline names the caller of the opening": "opener",
        },
    ),
    "AuthorizationList": ("", {"work_list.py": "authorizations next"}),
    "AuthorizationStatus": (
        "record authorization",
        {
            AUTHORIZATION: "version status outcome nextAction coversReviewSnapshotId payerId receiptSeen decisionSeen "
            "activeHandoff lastHandoff dueAt settledAt watchedSince updatedAt",
            STATE: "version status outcome nextAction actionRequiredAt dueAt payerId receiptSeen decisionSeen "
            "lastHandoff",
            "authorization.py": "settledAt watchEndedAt",
            "step.py": "resolution",
            "search.py": "authorizationId",
            "not shown: each entry of the timeline has its own": "sequence",
            "not shown: the timeline has the event": "overdueAt",
        },
    ),
    "CallerLimits": (
        "limits",
        {"developers.html": "requestsPerSecond burst streams waitingRequests unfinishedCommands"},
    ),
    "Claimant": ("claim", {"work.html": "caller by handoffs"}),
    "CommandAccepted": (
        "",
        {CONFIRMATION: "commandId type acceptedAt status", ELSEWHERE: "authorizationId cause advice redrive"},
    ),
    "CommandList": ("", {"commands.py": "commands next"}),
    "CommandOutcome": (
        "",
        {
            CONFIRMATION: "commandId type acceptedAt status outcome reason",
            ELSEWHERE: "authorizationId finishedAt effect advice handoffId version redrive metadata",
        },
    ),
    "CommandStatus": (
        "command",
        {
            COMMAND: "commandId type authorizationId caller status acceptedAt expiresAt waiting finishedAt outcome "
            "effect handoffId redrive metadata",
            "commands_table.html": "commandId type authorizationId caller status acceptedAt outcome",
            "words.py": "reason advice",
            "not shown: the timeline says it": "version",
        },
    ),
    "DeadLetterDetail": (
        "row dead_letter",
        {
            LETTER: "commandId command caller authorizationId acceptedAt deadAt cause advice redrive canRedrive sent "
            "partition offset asks",
            "not shown: `sent` lists the writes": "writes",
        },
    ),
    "DeadLetterList": (
        "dead_letters answer",
        {LETTERS: "deadLetters matching leftOut", "decisions.py": "next", "bulk.py": "at digest"},
    ),
    "DeadLetterOriginal": ("", {"decisions.py": "data value", KNOWN: "commandId"}),
    "DeadLetterSituation": (
        "",
        {
            "dead_letters.py": "at handoff",
            BY_NAME: "version status outcome nextAction resolution coversReviewSnapshotId receiptSeen decisionSeen "
            "activeHandoffId reviewSnapshotId reviewSnapshotStatus",
            KNOWN: "authorizationId commandId",
        },
    ),
    "DeadLetterSummary": (
        "row",
        {
            LETTERS: "commandId command caller authorizationId deadAt cause redrive writes",
            "not shown: the page of one dead letter shows it": "acceptedAt advice canRedrive",
        },
    ),
    "DeadLetterWrite": ("write", {LETTER: "n operation handoffId ifMatch firstSentAt ended mayHaveArrived"}),
    "DeadLettersDecided": ("", {"bulk.py": "decided notDecided remaining digest next"}),
    "FullCaller": (
        "row",
        {OVERVIEW: "authorizationId caller rejected", "not shown: all are of the last ten minutes": "lastAt"},
    ),
    "HandoffClaim": (
        "claim",
        {AUTHORIZATION: "by since", IN_HAND: "by since", "not shown: a person's name is enough": "caller"},
    ),
    "HandoffList": ("", {"work_list.py": "handoffs next"}),
    "HandoffNow": ("", {BY_NAME: "id state result version"}),
    "HandoffReporter": ("report", {LIST: "reportedBy", NAME_ENOUGH: "assertedBy", ELSEWHERE: "caller"}),
    "HandoffRequester": (
        "",
        {"work_items.py": "requestedBy", NAME_ENOUGH: "assertedBy", ELSEWHERE: "caller acceptedBy"},
    ),
    "HandoffStatus": (
        "row handoff",
        {
            LIST: "authorizationId handoffId lastGrant report risk closedAt collateClosedAt result closedBy reported "
            "agreement",
            "work_list.py": "openedAt",
            "work_items.py": "claim request",
            "not shown: the tab of the list says it": "state",
            ELSEWHERE: "accessAvailable finalSubmitCapable grants metadata",
        },
    ),
    "IdsFound": ("", {"search.py": "authorizations commands"}),
    "LastCalls": (
        "calls",
        {COMMAND: "operation result status code count since", "not shown: `since` and the count are enough": "until"},
    ),
    "LastDelivery": ("lastAnswer", {OVERVIEW: "agoSeconds", "words.py": "status result"}),
    "LastGrant": ("lastGrant", {LIST: "expiresAt", "work_items.py": "operator", NAME_ENOUGH: "assertedBy caller"}),
    "LastHandoff": (
        "last lastHandoff",
        {
            AUTHORIZATION: "id result by closedAt reported reportedBy agreement",
            "workbench/truth.html": "result reported reportedBy agreement",
            LIST: "reported",
            STATE: "agreement reported reportedBy",
            NAME_ENOUGH: "assertedBy",
        },
    ),
    "LiveHandoff": (
        "found",
        {
            SOURCES: "version status outcome nextAction resolution coversReviewSnapshotId payerId receiptSeen "
            "decisionSeen at isHandoffOpen handoff authorizationId",
            "not shown: the details of the handoff have its id": "activeHandoffId",
        },
    ),
    "LiveHandoffDetails": (
        "handoff",
        {
            "reading.py": "message",
            SOURCES: "id state accessAvailable finalSubmitCapable activatedAt",
            "not shown: of an ended handoff; the read model's record shows the last one": "result closedAt",
            "not shown: the version of the authorization is the one that decides": "version",
        },
    ),
    "Me": (
        "me",
        {"developers.html": "caller kind person permissions limits shadow", "people.py": "caller person permissions"},
    ),
    "MinuteCounts": ("", {"charts.py": "at accepted finished"}),
    "NotDecided": ("", {"not shown: the page counts them; the command's page says why": "commandId problem"}),
    "Overview": (
        "overview",
        {
            OVERVIEW: "fullCallers lastMinute activeHandoffs webhooks oldest",
            "overview.py": "at unfinished waiting deadLetters history",
            "work_list.py": "work activeHandoffs",
            "freshness.py": "at projector",
        },
    ),
    "PayerEvidence": (
        "answer",
        {
            "workbench/evidence.html": "version status outcome",
            "evidence.py": "payerReceipt decision",
            KNOWN: "authorizationId",
        },
    ),
    "Projector": ("", {"freshness.py": "at behind"}),
    "Rates": (
        "lastMinute",
        {OVERVIEW: "accepted finished attempts", "not shown: events are no work of an operator": "events"},
    ),
    "PeopleWork": (
        "work",
        {"work_list.py": "person contradicted claims", OVERVIEW: "person waitingSince atRisk", "work.py": "claims"},
    ),
    "ReleaseAccepted": ("", {KNOWN: "authorizationId handoffId"}),
    "Review": (
        "",
        {"snapshot.py": "version coversReviewSnapshotId reviewSnapshot", KNOWN: "authorizationId"},
    ),
    "Risk": ("risk", {LIST: "reason endsAt"}),
    "Timeline": ("", {"timeline.py": "entries", "authorizations.py": "next", KNOWN: "authorizationId"}),
    "Trouble": (
        "trouble",
        {"work_own.html": "kind authorizationId reason at", "not shown: the workbench has the handoff": "handoffId"},
    ),
    "TroubleList": ("", {"work.py": "troubles"}),
    "TimelineEntry": ("entry call", {AUTHORIZATION: "at kind says commandId sequence", "timeline.py": "data"}),
    "UnfinishedCommand": (
        "command",
        {OVERVIEW: "commandId authorizationId type caller status acceptedAt waiting"},
    ),
    "WaitsFor": (
        "waiting",
        {COMMAND: "until lastCalls", OVERVIEW: "reason advice until", STATE: "reason advice until"},
    ),
    "WebhookSubscription": (
        "row",
        {
            OVERVIEW: "name url state oldestSeconds undelivered lastAnswer",
            "not shown: metrics count them": "delivered deadLetters",
        },
    ),
    "Webhooks": ("webhooks", {OVERVIEW: "subscriptions unreachable"}),
    "WorkItem": (
        "item",
        {
            LIST: "payerId dueAt lastHandoff metadata",
            "work_list.py": "authorizationId waitingSince handoff",
            "work_items.py": "coversReviewSnapshotId actionRequiredAt lastHandoff",
            ELSEWHERE: "sequence version status outcome nextAction resolution receiptSeen decisionSeen activeHandoff "
            "overdueAt settledAt watchedSince watchEndedAt updatedAt",
        },
    ),
}


def typed_dicts(annotation):
    """Yield the TypedDicts in an annotation."""
    if typing.is_typeddict(annotation):
        yield annotation
    for part in typing.get_args(annotation):
        yield from typed_dicts(part)


def answers():
    """Return the fields of each answer of the operations that the console calls, by the answer's name."""
    sources = [path.read_text() for path in CONSOLE.rglob("*.py")]
    called = {name for text in sources for name in re.findall(r"\boperations\.([a-z_]+)", text)} - {"md"}
    waiting = [
        one for name in called for one in typed_dicts(typing.get_type_hints(getattr(operations, name))["return"])
    ]
    found = {}
    while waiting:
        one = waiting.pop()
        if one.__name__ not in found:
            fields = typing.get_type_hints(one)
            found[one.__name__] = set(fields)
            waiting += [inner for annotation in fields.values() for inner in typed_dicts(annotation)]
    return found


@cache
def reads(place):
    """Return what a template reads: pairs of the last name before a dot and the name after it."""
    parsed = Environment().parse((CONSOLE / "templates" / place).read_text())
    return {
        (node.node.name if isinstance(node.node, nodes.Name) else getattr(node.node, "attr", ""), node.attr)
        for node in parsed.find_all(nodes.Getattr)
    }


@cache
def named(place):
    """Return the texts of the modules of this name: the fields that a view reads are among them."""
    trees = [ast.parse(path.read_text()) for path in (*CONSOLE.rglob(place), *CONSOLE.parent.glob(place))]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_each_field_of_each_answer_has_a_place_or_a_reason():
    listed = {
        name: {field for fields in places.values() for field in fields.split()} for name, (_, places) in SHOWN.items()
    }
    found = answers()
    assert listed.keys() == found.keys()
    assert {name: fields ^ listed[name] for name, fields in found.items() if fields != listed[name]} == {}


@pytest.mark.parametrize("name", SHOWN)
def test_each_place_shows_its_fields(name):
    names, places = SHOWN[name]
    for place, fields in places.items():
        missing = []
        if place.endswith(".html"):
            missing = [
                field for field in fields.split() if not any((one, field) in reads(place) for one in names.split())
            ]
        elif place.endswith(".py"):
            missing = [field for field in fields.split() if field not in named(place)]
        else:
            assert place.startswith(("not shown: ", "shown by its name"))
        assert missing == [], place


def test_a_template_reads_only_names_that_exist():
    """An absent field of an answer is none, so a wrong name would show nothing."""
    trees = [ast.parse(path.read_text()) for path in CONSOLE.rglob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {
        node.target.id if isinstance(node, ast.AnnAssign) else node.name
        for one in classes
        for node in one.body
        if isinstance(node, ast.AnnAssign | ast.FunctionDef)
    }
    fields = set().union(*answers().values())
    events = {"operator", "expiresAt", "advice", "endsAt", "acceptedBy"}  # of the events in a timeline
    problem = {"claimedBy", "claimedSince", "message", "members", "reason"} | set(Fault.__annotations__) | {"where"}
    failures = {*vars(GatewayProblem(500, {}, {})), *vars(NotAnswered("x")), *problem}
    python = {"get", "items", "split", "isoformat", "endswith", "startswith", "removesuffix"}
    loop = {"index", "index0", "first", "last"}
    known = own | fields | events | failures | python | loop | set(FILTERS) | set(WORDS)
    macros = {"parts", "reasons", "contents", "words", "own"}
    wrong = {}
    for path in (CONSOLE / "templates").rglob("*.html"):
        place = path.relative_to(CONSOLE / "templates").as_posix()
        wrong[place] = {name for base, name in reads(place) if base not in macros} - known
    assert {place: names for place, names in wrong.items() if names} == {}
