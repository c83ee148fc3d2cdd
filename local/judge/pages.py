"""The judge of pages: what the workbench said of an authorization, compared with what was true at Collate.

A page is wrong if its statement was false at every moment between the time that it names (else the time of the
request) and the time of the response.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from local.collate.model.effect import Effect
from local.collate.simulation import Simulation
from local.collate.web import wire
from local.judge.checks import BrokenPromise
from local.judge.evidence import after_each_effect

# A page names its time in whole seconds.
NAMED_WITHIN_SECONDS: Final = 1.0
_OFFERS_OPENING: Final = frozenset({"open", "review"})
_HAS_NO_HANDOFF: Final = _OFFERS_OPENING | {"truth", "wait", "other_action", "settled"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What Collate showed of an authorization from a time on (Unix seconds). `handoff` is the open handoff's id."""

    since: float
    status: str
    action: str | None
    handoff: str | None


@dataclass(frozen=True, slots=True)
class PageStatement:
    """What a page said: the workbench's step and open handoff, from the named time until its response."""

    authorization_id: str
    step: str
    handoff: str | None
    named_at: float
    answered_at: float

    def holds_at(self, moment: Moment) -> bool:
        """Whether the statement was true at a moment."""
        if self.step in {"session", "closing"}:
            return moment.handoff == self.handoff
        if self.step in _HAS_NO_HANDOFF and moment.handoff is not None:
            return False
        if self.step in _OFFERS_OPENING:
            return moment.status == "requires_action" and moment.action == "complete_payer_interaction"
        if self.step == "settled":
            return moment.status in {"completed", "canceled"}
        return True


def wrong_pages(statements: Iterable[PageStatement], history: dict[str, list[Moment]]) -> list[BrokenPromise]:
    """Return the statements that were false all the time. `history` has each authorization's moments in order."""
    seen = [(said, _between(said, history[said.authorization_id])) for said in statements]
    return [
        BrokenPromise("a page was wrong", f"{said}; Collate: {moments}")
        for said, moments in seen
        if not any(said.holds_at(moment) for moment in moments)
    ]


def _between(said: PageStatement, moments: list[Moment]) -> list[Moment]:
    begin = said.named_at - NAMED_WITHIN_SECONDS
    first = max((index for index, moment in enumerate(moments) if moment.since <= begin), default=0)
    return [moment for moment in moments[first:] if moment.since <= said.answered_at]


class Moments:
    """Records what the simulated Collate shows of each authorization, with each change."""

    def __init__(self, sim: Simulation) -> None:
        self.history: dict[str, list[Moment]] = defaultdict(list)
        self._sim = sim
        after_each_effect(sim, self._note)

    def _note(self, effect: Effect) -> None:
        state = self._sim.state
        shown = wire.authorization_json(state.authorizations[effect.authorization_id], state.profile)
        action, handoff = shown["nextAction"], shown["activeManualHandoff"]
        self.history[effect.authorization_id].append(
            Moment(
                effect.at,
                str(shown["status"]),
                None if action is None else str(action["type"]),
                None if handoff is None else str(handoff["id"]),
            )
        )
