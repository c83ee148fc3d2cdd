"""Each page on which people act, in each of its states: what the API answers, what the page says, what a person can do.

`tests/contract/code/test_page_states.py` holds the table complete, and `test_states.py` walks it in a browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import httpx

from tests.unit.console.acting.test_dead_letter_pages import COMMAND, DETAIL, LETTER, LIST, ONE, SITUATION
from tests.unit.console.acting.test_workbench_pages import HERE, RECORD, SNAPSHOT, ScriptedApi, problem
from tests.unit.console.answers import BREAKER, ago, command, item, overview
from tests.unit.console.app import STAFF, me

ROWS: Final = 100
# The operations of the API that each page calls, to read and to act.
PAGES: Final = {
    "work list": ("listAuthorizations", "listTroubles", "readOverview"),
    "workbench": (
        "readAuthorization",
        "readTimeline",
        "listCommands",
        "readHandoff",
        "readReviewSnapshot",
        "requestHandoff",
        "closeHandoff",
        "releaseHandoff",
        "createAccessGrant",
        "watchAuthorization",
    ),
    "command": ("readCommand", "listCommands"),
    "dead letter": (
        "listDeadLetters",
        "readDeadLetter",
        "readDeadLetterSituation",
        "readCommand",
        "redriveDeadLetter",
    ),
}
STATES: Final = ("late", "no answer", "empty", "100 rows")
REFUSALS: Final = (403, 404, 409, 503)


class Control(NamedTuple):
    """A control by its role and name; a text field gets the value."""

    role: str
    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A page in a state. A person uses the controls, which lead to an address that begins with `leads_to`.

    `first` are the controls that lead from the page to its state: a form that the API refuses.
    """

    address: str
    says: str
    uses: tuple[Control, ...]
    leads_to: str
    answers: Mapping[str, Any] = field(default_factory=dict)
    permissions: tuple[str, ...] = (*STAFF, "authorization:watch", "operate")
    first: tuple[Control, ...] = ()

    def api(self) -> ScriptedApi:
        """Return the API in this state."""
        return ScriptedApi(**{**self.answers, "GET /me": lambda request: me(request, self.permissions)})


def listed(name: str, rows: list[Any], **more: Any) -> Any:
    """Answer a list page by page, as the API does."""

    def answer(request: httpx.Request) -> httpx.Response:
        limit, start = int(request.url.params["limit"]), int(request.url.params.get("cursor", 0))
        following = {"next": str(start + limit)} if start + limit < len(rows) else {}
        return httpx.Response(200, json={name: rows[start : start + limit], **following, **more})

    return answer


def unanswered(_: httpx.Request) -> httpx.Response:
    raise TimeoutError


LINK, BUTTON = "link", "button"
AGAIN = (Control(LINK, "Try again"),)
BY_ID = (Control("textbox", "Id of the authorization", "auth_1"), Control(BUTTON, "Open its workbench"))
ACCEPT = (Control("checkbox", "I have read this snapshot"), Control(BUTTON, "Accept rev_90 and open the handoff"))
DECIDE = (Control("combobox", "Reason"), Control(BUTTON, "Redrive: "))
ONE_COMMAND = f"/commands/{COMMAND}"
NO_ANSWER = "The gateway does not answer"
LISTS_AWAY = "The gateway's lists are not available now"
NOT_PERMITTED = "You may not do this"

AWAY = dict.fromkeys(("GET ", *ScriptedApi().answers), unanswered)
BEHIND = {"GET /overview": overview(projector={"at": ago(seconds=1), "behind": 31_000})}
NO_LISTS = dict.fromkeys(
    ("GET /authorizations", "GET /overview", "GET /auth_1", "GET /commands", "GET /timeline", f"GET {ONE_COMMAND}"),
    problem(503, "read-model-unavailable"),
)
WAITS = command(1, commandId=COMMAND, waiting=BREAKER, metadata={"case": "case-0042"})
DEAD = {f"GET {ONE}": DETAIL, "GET /situation": SITUATION}
LONG_SNAPSHOT = SNAPSHOT | {"answers": [{"question": f"Question {n}", "answer": "yes"} for n in range(ROWS)]}
MANY = {
    "authorizations": [item(f"auth_{n:05}", coversReviewSnapshotId="rev_90") for n in range(ROWS)],
    "commands": [command(n, waiting=BREAKER) for n in range(ROWS)],
    "deadLetters": [
        LETTER | {"commandId": command(n)["commandId"], "authorizationId": f"auth_{n}"} for n in range(ROWS)
    ],
}


CELLS: Final[Mapping[tuple[str, str | int], Cell]] = {
    ("work list", "late"): Cell(
        "/work",
        "This page is late",
        (Control(LINK, "auth_1"),),
        HERE,
        BEHIND | {"GET /authorizations": {"authorizations": [item("auth_1")]}},
    ),
    ("work list", "no answer"): Cell("/work", NO_ANSWER, BY_ID, "/work/open?authorization=auth_1", AWAY),
    ("work list", 403): Cell(
        "/work", NOT_PERMITTED, BY_ID, "/work/open", {"GET /authorizations": problem(403, "not-permitted")}
    ),
    ("work list", 404): Cell(
        "/work", "has no lists", BY_ID, "/work/open", {"GET /authorizations": problem(404, "no-read-model")}
    ),
    ("work list", 503): Cell("/work", LISTS_AWAY, BY_ID, "/work/open", NO_LISTS),
    ("work list", "empty"): Cell(
        "/work",
        "No authorization waits for a person",
        (Control(LINK, "Closed today"),),
        "/work?tab=closed",
        {"GET /authorizations": {"authorizations": []}},
    ),
    ("work list", "100 rows"): Cell(
        "/work",
        "auth_00024",
        (Control(LINK, "Next 25"),),
        "/work?cursor=25",
        {"GET /authorizations": listed("authorizations", MANY["authorizations"])},
    ),
    ("workbench", "late"): Cell(HERE, "The read model is late or not available", ACCEPT, f"{HERE}/open", BEHIND),
    ("workbench", "no answer"): Cell(HERE, NO_ANSWER, AGAIN, HERE, AWAY),
    ("workbench", 403): Cell(HERE, NOT_PERMITTED, AGAIN, HERE, {"GET /review-snapshot": problem(403, "not-permitted")}),
    ("workbench", 404): Cell(
        HERE,
        "The gateway does not watch this authorization yet",
        (Control(BUTTON, "Watch it"),),
        f"{HERE}/watch",
        {"GET /auth_1": problem(404, "not-found")},
    ),
    ("workbench", 409): Cell(
        HERE, "Collate does not allow this now", AGAIN, HERE, {"GET /review-snapshot": problem(409, "collate-refused")}
    ),
    ("workbench", 503): Cell(
        HERE,
        "Collate is not available now",
        AGAIN,
        HERE,
        NO_LISTS | {"GET /active": problem(503, "collate-unavailable")},
    ),
    ("workbench", "empty"): Cell(
        HERE,
        "Nothing to do: Collate is working",
        (Control(LINK, "Back to the work list"),),
        "/work",
        {"GET /auth_1": RECORD | {"status": "processing", "nextAction": None}},
    ),
    ("workbench", "100 rows"): Cell(
        HERE,
        "Question 99",
        ACCEPT,
        f"{HERE}/open",
        {
            # Of one authorization one command waits, and the others wait for it.
            "GET /commands": listed(
                "commands", [MANY["commands"][0], *(command(n, status="accepted") for n in range(1, ROWS))]
            ),
            "GET /review-snapshot": {"authorizationId": "auth_1", "version": 23, "reviewSnapshot": LONG_SNAPSHOT},
        },
    ),
    ("command", "late"): Cell(
        ONE_COMMAND,
        "This page is late",
        (Control(LINK, "auth_7Q2M001"),),
        "/authorizations/auth_7Q2M001",
        BEHIND | {f"GET {ONE_COMMAND}": WAITS},
    ),
    ("command", "no answer"): Cell(ONE_COMMAND, NO_ANSWER, AGAIN, ONE_COMMAND, AWAY),
    ("command", 403): Cell(
        ONE_COMMAND, NOT_PERMITTED, AGAIN, ONE_COMMAND, {f"GET {ONE_COMMAND}": problem(403, "not-permitted")}
    ),
    ("command", 404): Cell(
        ONE_COMMAND, "does not know this", AGAIN, ONE_COMMAND, {f"GET {ONE_COMMAND}": problem(404, "not-found")}
    ),
    ("command", 503): Cell(ONE_COMMAND, LISTS_AWAY, AGAIN, ONE_COMMAND, NO_LISTS),
    ("command", "empty"): Cell(
        "/commands?status=waiting", "No command matches", (Control(LINK, "Show all"),), "/commands"
    ),
    ("command", "100 rows"): Cell(
        "/commands",
        "auth_7Q2M049",
        (Control(LINK, "Next 50"),),
        "/commands?cursor=50",
        {"GET /commands": listed("commands", MANY["commands"])},
    ),
    ("dead letter", "late"): Cell(
        ONE,
        "The state at Collate could not be read",
        DECIDE,
        f"{ONE}/redrive",
        DEAD | {"GET /situation": unanswered},
    ),
    ("dead letter", "no answer"): Cell(ONE, NO_ANSWER, AGAIN, ONE, AWAY),
    ("dead letter", 403): Cell(
        ONE,
        "You may not decide as an operator",
        (Control(LINK, "all dead letters"),),
        "/dead-letters",
        permissions=STAFF,
    ),
    ("dead letter", 404): Cell(
        ONE,
        "This command is not a dead letter",
        (Control(LINK, "The command"),),
        ONE_COMMAND,
        {f"GET {ONE}": problem(404, "not-a-dead-letter")},
    ),
    ("dead letter", 409): Cell(
        ONE,
        "Your decision was about an earlier number",
        DECIDE[1:],
        f"{ONE}/redrive",
        DEAD | {"POST /redrive": problem(409, "dead-letter-moved")},
        first=DECIDE,
    ),
    ("dead letter", 503): Cell(
        ONE, "The dead letters cannot be read now", AGAIN, ONE, {f"GET {ONE}": problem(503, "dead-letters-unread")}
    ),
    ("dead letter", "empty"): Cell(
        "/dead-letters?caller=intake",
        "No dead letter matches",
        (Control(LINK, "All"),),
        "/dead-letters",
        {"GET /dead-letters": LIST | {"deadLetters": [], "matching": 0}},
    ),
    ("dead letter", "100 rows"): Cell(
        "/dead-letters",
        "100 dead letters",
        (Control(LINK, "Younger ones"),),
        "/dead-letters?cursor=50",
        {"GET /dead-letters": listed("deadLetters", MANY["deadLetters"], matching=ROWS, leftOut=0, at=ago())},
    ),
}
