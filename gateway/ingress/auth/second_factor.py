"""The sign-in that an issuer's people need for calls that show or open a patient's data (RFC 9470). Pure.

The token says how (`acr`) and when (`auth_time`) the person signed in (RFC 9068). A token without the claim that is
asked for does not suffice.
"""

from dataclasses import dataclass

from gateway.ingress.api_http.api_problems import StepUpRequired


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The accepted values of `acr`, any if empty, and the greatest age of the sign-in in seconds."""

    acr: tuple[str, ...] = ()
    max_age: int | None = None

    def is_met(self, acr: str | None, signed_in_at: float | None, now: float) -> bool:
        """Whether a sign-in suffices."""
        is_recent = self.max_age is None or (signed_in_at is not None and now - signed_in_at <= self.max_age)
        return is_recent and (not self.acr or acr in self.acr)

    def problem(self) -> StepUpRequired:
        """Return the 401 with the challenge of RFC 9470, section 3."""
        values = " ".join(self.acr)
        members: dict[str, str | bool | int] = {} if not values else {"acrValues": values}
        members |= {} if self.max_age is None else {"maxAge": self.max_age}
        challenge = 'Bearer error="insufficient_user_authentication", error_description="Another sign-in is needed"'
        challenge += f', acr_values="{values}"' if values else ""
        challenge += "" if self.max_age is None else f', max_age="{self.max_age}"'
        return StepUpRequired(
            "Let the person sign in again at the issuer with the `acr_values` and the `max_age` of WWW-Authenticate, "
            "then repeat the request with the new token. Nothing was done.",
            members=members,
            headers={"www-authenticate": challenge},
        )
