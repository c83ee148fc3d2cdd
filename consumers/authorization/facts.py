"""The facts that change a state: reads of Collate, and Collate's responses to our own writes.

A fact carries Collate's own models. The causing command and the report come from the command.
"""

from dataclasses import dataclass

from consumers.authorization.state import Closer, CommandRef
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff
from schemas.enums import ClaimCheck


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation: the authorization, and the handoffs that were read. `missing` are handoffs that got a 404.

    `inferred` is a handoff that our create may have opened, and the command; the event of its opening names it.
    """

    authorization: PriorAuthorization
    handoffs: tuple[ManualHandoff, ...] = ()
    missing: tuple[str, ...] = ()
    inferred: tuple[str, CommandRef] | None = None

    def handoff(self, handoff_id: str | None) -> ManualHandoff | None:
        """Return a handoff as this observation read it."""
        return next((handoff for handoff in self.handoffs if handoff.id == handoff_id), None)


@dataclass(frozen=True, slots=True)
class CreateAnswered:
    """The 2xx response to our create with a handoff that is ours; `version` is the version of the intent.

    `authorization` is a read after the response that shows the handoff, if there is one. `is_inferred`: the response
    does not prove that our create opened it.
    """

    handoff: ManualHandoff
    version: int
    caused_by: CommandRef
    authorization: PriorAuthorization | None = None
    is_inferred: bool = False


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
    """A read shows the result that our close would give, so our close is its cause. Reduced before that read."""

    handoff_id: str
    closer: Closer


@dataclass(frozen=True, slots=True)
class GrantRecorded:
    """An access grant for an operator; `caller` received the link. `take_over`: also from the person who has it."""

    handoff_id: str
    operator: str
    caller: str
    expires_at: float
    cause: str
    take_over: bool = False
    claim_check: ClaimCheck | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRecorded:
    """A person gives back the handoff that they have claimed."""

    handoff_id: str
    caller: str
    cause: str


@dataclass(frozen=True, slots=True)
class VersionFloorSet:
    """An operator's decision: Collate was restored from a backup, and its versions count from this one again."""

    version: int


@dataclass(frozen=True, slots=True)
class DueStated:
    """A command with a due date was applied; `stated_at` is its acceptance."""

    at: float
    stated_at: float
    stated_by: CommandRef
    is_redrive: bool = False


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The passing of time, without a read."""


Fact = (
    Observed
    | CreateAnswered
    | CreateInferred
    | CloseAnswered
    | CloseInferred
    | GrantRecorded
    | ReleaseRecorded
    | VersionFloorSet
    | DueStated
    | TimePassed
)
