"""All lists, with the filters that people and services use, and values of these filters by chance."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.postgres.people_numbers import people_numbers
from adapters.postgres.queries import HandoffPage, TimelinePage
from adapters.postgres.rows import NOT_DUE
from adapters.postgres.views.lists import CommandPage, TroublesOf
from adapters.postgres.views.overview import overview, overview_with_history
from adapters.postgres.views.work import AuthorizationPage
from bench.reads.data import CALLERS, EVERY
from schemas.api.lists import Needs
from schemas.api.queries import AuthorizationsQuery, CommandsQuery, HandoffsQuery, TimelineQuery

Query = Callable[[random.Random], Any]


_LIMIT = 50
_ARCHIVE = {"team": "archive"}


def _ago(chance: random.Random) -> datetime:
    return datetime.now(UTC) - timedelta(days=chance.random() * 20)


def _payer(chance: random.Random) -> str:
    return f"payer_{chance.randrange(EVERY)}"


def _caller(chance: random.Random) -> str:
    return chance.choice(CALLERS)


def _team(chance: random.Random) -> dict[str, str]:
    return {"team": f"team-{chance.randrange(20)}"}


def _reason(chance: random.Random) -> str:
    return f"reason_{chance.randrange(10)}"


def reads(authorizations: int) -> list[tuple[str, Query]]:
    """Return the name of each list, and a function that returns a query with values by chance."""

    def one(chance: random.Random) -> str:
        return f"auth_{chance.randrange(authorizations)}"

    def person(chance: random.Random) -> str:
        return f"person-{chance.randrange(2 * EVERY // 5)}"

    def case(chance: random.Random) -> dict[str, str]:
        return {"case": f"case-{chance.randrange(authorizations)}"}  # three commands have it

    def cursor(chance: random.Random) -> tuple[datetime, str]:
        return _ago(chance), one(chance)

    def work_cursor(chance: random.Random) -> tuple[datetime, datetime, datetime, str]:
        return NOT_DUE, _ago(chance) + timedelta(days=10), *cursor(chance)  # no end soon, a due date, then a wait

    def page(kind: type, query: Any, given: dict[str, Any], *of: Any) -> Query:
        def made(chance: random.Random) -> Any:
            values = {key: value(chance) if callable(value) else value for key, value in given.items()}
            after = values.pop("after", None)
            args = [part(chance) if part is one else part for part in of]
            return kind(*args, query.model_construct(**{"limit": _LIMIT, "metadata": {}} | values), after)

        return made

    all_of_them = {"payer": _payer, "caller": _caller, "metadata": _team}
    work: list[tuple[str, dict[str, Any]]] = [
        ("authorizations, needs=person", {}),
        ("  at a cursor", {"after": work_cursor}),
        ("  by payer", {"payer": _payer}),
        ("  the longest wait first", {"order": "wait"}),
        ("  grouped by payer", {"order": "payer"}),
        ("  at risk", {"needs": Needs.AT_RISK}),
        ("  overdue", {"needs": Needs.OVERDUE}),
        ("  by caller", {"caller": _caller}),
        ("  by a caller with 30 commands", {"caller": "rare"}),
        ("  by metadata, a case", {"metadata": case}),
        ("  by metadata, a team", {"metadata": _team}),
        ("  by payer, caller and team", all_of_them),
        ("  by caller and team", {"caller": _caller, "metadata": _team}),
        ("  by caller and a case", {"caller": _caller, "metadata": case}),
        ("  by a team of which none waits", {"metadata": _ARCHIVE}),
        ("  by payer and that team", {"payer": _payer, "metadata": _ARCHIVE}),
        ("  that wait since before", {"before": _ago}),
        ("authorizations, needs=handoff", {"needs": Needs.HANDOFF}),
        ("  by payer, caller and team", {"needs": Needs.HANDOFF} | all_of_them),
        ("authorizations, needs=contradicted", {"needs": Needs.CONTRADICTED}),
        ("  by payer, caller and team", {"needs": Needs.CONTRADICTED} | all_of_them),
    ]
    commands: list[tuple[str, dict[str, Any]]] = [
        ("commands", {}),
        ("  newest", {"order": "newest"}),
        ("  at a cursor", {"after": cursor}),
        ("  by authorization", {"authorization_id": one}),
        ("  by caller, newest", {"caller": _caller, "order": "newest"}),
        ("  by a caller with 30 commands", {"caller": "rare"}),
        ("  accepted", {"status": "accepted"}),
        ("  waiting", {"status": "waiting"}),
        ("  dead-lettered", {"status": "dead_lettered"}),
        ("  waiting by caller", {"status": "waiting", "caller": _caller}),
        ("  finished, newest", {"status": "finished", "order": "newest"}),
        ("  of a kind with 300 commands, newest", {"kind": "authorization.watch", "order": "newest"}),
        ("  by reason", {"reason": _reason}),
        ("  by reason and caller", {"reason": _reason, "caller": _caller}),
        ("  by a reason that none has", {"reason": "other"}),
        ("  by metadata, a case", {"metadata": case}),
        ("  by metadata, a team", {"metadata": _team}),
        ("  by metadata, a team, newest", {"metadata": _team, "order": "newest"}),
        ("  by metadata and caller", {"metadata": _team, "caller": _caller}),
    ]
    return [
        *((name, page(AuthorizationPage, AuthorizationsQuery, given)) for name, given in work),
        *((name, page(CommandPage, CommandsQuery, given)) for name, given in commands),
        ("timeline", page(TimelinePage, TimelineQuery, {}, one)),
        ("  newest, since", page(TimelinePage, TimelineQuery, {"order": "newest", "since": _ago}, one)),
        ("handoffs, active", page(HandoffPage, HandoffsQuery, {})),
        ("handoffs, closed, newest", page(HandoffPage, HandoffsQuery, {"state": "closed", "order": "newest"})),
        ("  since", page(HandoffPage, HandoffsQuery, {"state": "closed", "since": _ago})),
        ("troubles of a person", lambda chance: TroublesOf(name := person(chance), f"people:{name}")),
        ("  since", lambda chance: TroublesOf(name := person(chance), f"people:{name}", _ago(chance))),
        ("  of a person whom a service names", lambda chance: TroublesOf(person(chance))),
        ("numbers of the people's work", lambda _: people_numbers),
        ("overview", lambda _: overview),
        ("overview, history=1h", lambda _: overview_with_history),
    ]
