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
        credential: The bearer token of the person's calls of the API; only `gateway.console.api` reads it.
        ends_at: When the session ends at the latest; None if a proxy decides it.
    """

    name: str
    permissions: frozenset[str]
    credential: SecretStr
    way: SignInWay
    ends_at: datetime | None = None

    @property
    def is_named_by_token(self) -> bool:
        """Whether the API takes the name from the token; otherwise a body must name the person."""
        return self.way is not SignInWay.key

    def may(self, permission: str) -> bool:
        """Return whether the API allows the person what needs this permission."""
        return permission in self.permissions
