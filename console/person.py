"""The person who is signed in, as pages see them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import SecretStr


class SignInWay(StrEnum):
    """How a person signed in."""

    oidc = "oidc"
    proxy = "proxy"
    key = "key"
    link = "link"


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """A person.

    Attributes:
        name: The name that records and events show.
        permissions: What the API allows, as `GET /v1/me` says.
        credential: The bearer token of the person's calls of the API; only `console.api` reads it.
        ends_at: The latest end of the session; None if a proxy decides it.
        stepped_up_at: When the person came back from a sign-in that the API had demanded, if the last one was such.
    """

    name: str
    permissions: frozenset[str]
    credential: SecretStr
    way: SignInWay
    ends_at: datetime | None = None
    stepped_up_at: datetime | None = None

    @property
    def is_named_by_token(self) -> bool:
        """Whether the API reads the name from the token. Otherwise the body must contain the person's name."""
        return self.way is not SignInWay.key

    @property
    def name_for_api(self) -> str | None:
        """The name for the fields of a request that name a person; None if the API reads it from the token."""
        return None if self.is_named_by_token else self.name

    def may(self, permission: str) -> bool:
        """Return whether the person has this permission."""
        return permission in self.permissions
