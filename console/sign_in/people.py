"""The name and the permissions of a credential: `GET /v1/me`, cached for a short time.

The cache is bounded, and its keys are hashes of credentials.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from console.api import Answer, Api, Failure, GatewayProblem, NotAnswered, operations
from console.errors import PageError, SignInUnchecked

FRESH_SECONDS: Final = 15.0
MOST_REMEMBERED: Final = 5_000


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """A credential's facts at the API: the caller's name, the person's name (None for a service), the permissions."""

    caller: str
    person: str | None
    permissions: frozenset[str]


def unavailable(failure: Failure, advice: str) -> PageError:
    """Return the page of a credential that the API could not look up; `advice` is for one that it could not check."""
    match failure:
        case GatewayProblem(slug="credentials-unchecked"):
            return SignInUnchecked(advice)
        case GatewayProblem():
            return PageError(503, failure.title, failure.detail)
        case NotAnswered(reason=reason):
            return PageError(503, "The gateway is not reached", f"Its API gave no answer: {reason}. Try again.")


class Identities:
    """Looks credentials up."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[KnownIdentity, float]] = OrderedDict()

    async def identity(self, credential: SecretStr) -> KnownIdentity | Failure:
        """Return the identity. While the API is unreachable, return the last known identity.

        An unchecked credential is refused: the API would refuse it for every part of the page, too.
        """
        digest = hashlib.sha256(credential.get_secret_value().encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known[1]:
            return known[0]
        outcome = await self._api.send_as(credential, operations.read_me())
        match outcome:
            case Answer(body=dict() as body):
                found = KnownIdentity(
                    str(body.get("caller", "")), body.get("person"), frozenset(body.get("permissions", ()))
                )
                self._known[digest] = found, self._clock() + FRESH_SECONDS
                self._known.move_to_end(digest)
                if len(self._known) > MOST_REMEMBERED:
                    self._known.popitem(last=False)
                return found
            case GatewayProblem(status=401):
                self._known.pop(digest, None)
                return outcome
            case GatewayProblem(slug="credentials-unchecked"):
                return outcome
            case GatewayProblem() | NotAnswered() if known is not None:
                return known[0]
            case Answer():
                return NotAnswered("an answer that is no identity")
            case _:
                return outcome
