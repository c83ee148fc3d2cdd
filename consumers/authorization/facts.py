"""What the reducer is told: reads of Collate, and Collate's answers to our own writes.

A fact carries Collate's own models; who caused it and what was reported comes from the command.
"""

from dataclasses import dataclass

from consumers.authorization.state import Closer, LastCommand
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff


@dataclass(frozen=True, slots=True)
class Observed:
    """One look: the authorization, then the handoffs that had to be read to understand it (None: Collate has none)."""

    authorization: PriorAuthorization
    handoffs: tuple[ManualHandoff, ...] = ()
    missing: tuple[str, ...] = ()

    def handoff(self, handoff_id: str | None) -> ManualHandoff | None:
        """Return that handoff as this look read it."""
        return next((handoff for handoff in self.handoffs if handoff.id == handoff_id), None)


@dataclass(frozen=True, slots=True)
class Created:
    """Our create was answered with this handoff, and it is ours; `version` is the one that the intent was made from."""

    handoff: ManualHandoff
    version: int
    asked: LastCommand


@dataclass(frozen=True, slots=True)
class CreateInferred:
    """A look, reduced before this, shows an open handoff that our create may have opened."""

    handoff_id: str
    asked: LastCommand


@dataclass(frozen=True, slots=True)
class Closed:
    """Our close was answered 2xx."""

    answer: CloseAnswer
    closer: Closer


@dataclass(frozen=True, slots=True)
class CloseInferred:
    """A look shows a handoff ended as our close would have ended it; the look is reduced after this."""

    handoff_id: str
    closer: Closer


@dataclass(frozen=True, slots=True)
class Granted:
    """An operator was given a link into the session."""

    handoff_id: str
    operator: str
    expires_at: float
    cause: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time went by; nothing was read."""


Fact = Observed | Created | CreateInferred | Closed | CloseInferred | Granted | TimePassed
