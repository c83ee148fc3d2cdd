"""The facts that change a state: reads of Collate, and Collate's responses to our own writes.

A fact carries Collate's own models. The causing command and the report come from the command.
"""

from dataclasses import dataclass

from consumers.authorization.state import Closer, CommandRef
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation: the authorization, and the handoffs that were read. `missing` are handoffs that got a 404."""

    authorization: PriorAuthorization
    handoffs: tuple[ManualHandoff, ...] = ()
    missing: tuple[str, ...] = ()

    def handoff(self, handoff_id: str | None) -> ManualHandoff | None:
        """Return a handoff as this observation read it."""
        return next((handoff for handoff in self.handoffs if handoff.id == handoff_id), None)


@dataclass(frozen=True, slots=True)
class CreateAnswered:
    """The 2xx response to our create with a handoff that is ours; `version` is the version of the intent."""

    handoff: ManualHandoff
    version: int
    caused_by: CommandRef


@dataclass(frozen=True, slots=True)
class CreateInferred:
    """An open handoff that our create may have opened; the observation that shows it is reduced before this fact."""

    handoff_id: str
    caused_by: CommandRef


@dataclass(frozen=True, slots=True)
class CloseAnswered:
    """The 2xx response to our close."""

    answer: CloseAnswer
    closer: Closer


@dataclass(frozen=True, slots=True)
class CloseInferred:
    """A handoff that ended as our close would have ended it; the observation is reduced after this fact."""

    handoff_id: str
    closer: Closer


@dataclass(frozen=True, slots=True)
class GrantRecorded:
    """An access grant for an operator; `caller` received the link."""

    handoff_id: str
    operator: str
    caller: str
    expires_at: float
    cause: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The passing of time, without a read."""


Fact = Observed | CreateAnswered | CreateInferred | CloseAnswered | CloseInferred | GrantRecorded | TimePassed
