"""All lists, with the filters that people and services use, and values of these filters by chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from adapters.postgres.people_numbers import people_numbers
from adapters.postgres.queries import HandoffPage, TimelinePage
from adapters.postgres.views.lists import AuthorizationPage, CommandPage
from adapters.postgres.views.overview import overview, overview_with_history
from bench.reads.data import CALLERS, PAYERS
from gateway.ingress.descriptions import describe
from schemas.api.lists import Needs

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Read:
    """A list: its name, and a function that returns a query with values by chance."""

    name: str
    query: Callable[[random.Random], Any]


@dataclass(frozen=True, slots=True)
class Values:
    """Values of filters by chance."""

    authorizations: int

    def one(self, chance: random.Random) -> str:
        """Return an authorization."""
        return f"auth_{chance.randrange(self.authorizations)}"

    def case(self, chance: random.Random) -> dict[str, str]:
        """Return metadata that three commands have."""
        return {"case": f"case-{chance.randrange(self.authorizations)}"}

    def key(self, chance: random.Random) -> tuple[datetime, str]:
        """Return the sort key of a page."""
        return _ago(chance), self.one(chance)


def _ago(chance: random.Random) -> datetime:
    return datetime.now(UTC) - timedelta(days=chance.random() * 20)


def _payer(chance: random.Random) -> str:
    return f"payer_{chance.randrange(PAYERS)}"


def _caller(chance: random.Random) -> str:
    return chance.choice(CALLERS)


def _team(chance: random.Random) -> dict[str, str]:
    return {"team": f"team-{chance.randrange(20)}"}


def _reason(chance: random.Random) -> str:
    return f"reason_{chance.randrange(10)}"


def _always(value: Any) -> Callable[[random.Random], Any]:
    return lambda _: value


_handoff, _contradicted = _always(Needs.HANDOFF), _always(Needs.CONTRADICTED)


def _work(name: str, **given: Callable[[random.Random], Any]) -> Read:
    return Read(name, lambda chance: AuthorizationPage(_LIMIT, **{key: value(chance) for key, value in given.items()}))


def _commands(name: str, **given: Callable[[random.Random], Any]) -> Read:
    return Read(name, lambda chance: CommandPage(_LIMIT, **{key: value(chance) for key, value in given.items()}))


def reads(values: Values) -> list[Read]:
    """Return all lists, with the filters that people and services use."""
    newest, rare = _always("newest"), _always("rare")
    return [
        _work("authorizations, needs=person"),
        _work("  at a cursor", after=values.key),
        _work("  by payer", payer_id=_payer),
        _work("  by caller", caller=_caller),
        _work("  by a caller with 30 commands", caller=rare),
        _work("  by metadata, a case", metadata=values.case),
        _work("  by metadata, a team", metadata=_team),
        _work("  by payer, caller and team", payer_id=_payer, caller=_caller, metadata=_team),
        _work("  by caller and team", caller=_caller, metadata=_team),
        _work("  by caller and a case", caller=_caller, metadata=values.case),
        _work("  by a team of which none waits", metadata=_always({"team": "archive"})),
        _work("  by payer and that team", payer_id=_payer, metadata=_always({"team": "archive"})),
        _work("  that wait since before", before=_ago),
        _work("authorizations, needs=handoff", needs=_handoff),
        _work("  by payer, caller and team", needs=_handoff, payer_id=_payer, caller=_caller, metadata=_team),
        _work("authorizations, needs=contradicted", needs=_contradicted),
        _work("  by payer, caller and team", needs=_contradicted, payer_id=_payer, caller=_caller, metadata=_team),
        _commands("commands"),
        _commands("  newest", order=newest),
        _commands("  at a cursor", after=values.key),
        _commands("  by authorization", authorization_id=values.one),
        _commands("  by caller, newest", caller=_caller, order=newest),
        _commands("  by a caller with 30 commands", caller=rare),
        _commands("  accepted", status=_always("accepted")),
        _commands("  waiting", status=_always("waiting")),
        _commands("  dead-lettered", status=_always("dead_lettered")),
        _commands("  waiting by caller", status=_always("waiting"), caller=_caller),
        _commands("  finished, newest", status=_always("finished"), order=newest),
        _commands("  by reason", reason=_reason),
        _commands("  by reason and caller", reason=_reason, caller=_caller),
        _commands("  by a reason that none has", reason=_always("other")),
        _commands("  by metadata, a case", metadata=values.case),
        _commands("  by metadata, a team", metadata=_team),
        _commands("  by metadata, a team, newest", metadata=_team, order=newest),
        _commands("  by metadata and caller", metadata=_team, caller=_caller),
        Read("timeline", lambda chance: TimelinePage(values.one(chance), describe, _LIMIT)),
        Read(
            "  newest, since",
            lambda chance: TimelinePage(values.one(chance), describe, _LIMIT, None, "newest", _ago(chance)),
        ),
        Read("handoffs, active", lambda _: HandoffPage("active", _LIMIT)),
        Read("handoffs, closed, newest", lambda _: HandoffPage("closed", _LIMIT, order="newest")),
        Read("  since", lambda chance: HandoffPage("closed", _LIMIT, since=_ago(chance))),
        Read("numbers of the people's work", _always(people_numbers)),
        Read("overview", _always(overview)),
        Read("overview, history=1h", _always(overview_with_history)),
    ]
