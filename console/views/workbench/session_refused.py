"""Why a person did not get into a session, and what they can do next. Pure; it never contains a link."""

from dataclasses import dataclass
from typing import cast

from console.api import Failure, GatewayProblem, models


@dataclass(frozen=True, slots=True)
class SessionRefused:
    """The page of a refused entry.

    `problem` is the API's refusal, or that it did not answer. `origin` is set if the console does not know the link's
    origin; then there is no problem.
    """

    authorization_id: str
    handoff_id: str
    key: str
    problem: Failure | None = None
    origin: str | None = None

    @property
    def members(self) -> models.AccessProblemDetails:
        """The further members of the API's refusal, such as the person who has the handoff in hand."""
        members = self.problem.members if isinstance(self.problem, GatewayProblem) else {}
        return cast("models.AccessProblemDetails", members)

    @property
    def is_claim_unknown(self) -> bool:
        """Whether the next click needs the person's decision: another person may have it in hand."""
        return isinstance(self.problem, GatewayProblem) and self.problem.slug == "claim-unknown"
