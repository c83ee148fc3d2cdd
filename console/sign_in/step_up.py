"""A sign-in that the API demands for a call (RFC 9470): the way to the issuer and back. The session stays meanwhile."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from console.api import GatewayProblem
from console.errors import PageError
from console.page import console_of, is_fragment, person_of
from console.person import SignInWay
from console.sign_in.gate import address_of
from console.sign_in.return_path import safe_return_path

# The shortest `max_age`: a demanded sign-in that is younger would satisfy the demand again.
JUST_NOW: Final = timedelta(seconds=60)
_MEMBERS: Final = {"acr_values": "acrValues", "max_age": "maxAge"}
_VALUES: Final = {"acr_values": re.compile(r"[!#-\[\]-~ ]{1,2000}"), "max_age": re.compile(r"[0-9]{1,9}")}


def demands(request: Request) -> Mapping[str, str]:
    """Return what a sign-in at the issuer must satisfy. The API checks the token: a wrong value only repeats this."""
    given = {name: request.query_params.get(name, "") for name in _VALUES}
    return {name: value for name, value in given.items() if _VALUES[name].fullmatch(value)}


def sign_in_address(request: Request, outcome: object, return_path: str) -> str | None:
    """Return where the person signs in again for a refused call; None if the call was not refused for that."""
    if not isinstance(outcome, GatewayProblem) or outcome.slug != "step-up-required":
        return None
    if person_of(request).way is not SignInWay.oidc:
        return None  # the page shows the problem: a proxy signs its people in
    members = {name: str(outcome.members[member]) for name, member in _MEMBERS.items() if member in outcome.members}
    return f"/sign-in/start?{urlencode({'return': return_path} | members)}"


def go_if_demanded(request: Request, outcome: object) -> None:
    """Lead the browser of a page to the issuer, which leads it back to the page. Raise PageError for that.

    An issuer that has just not done what was demanded would lead it back for ever.
    """
    address = sign_in_address(request, outcome, safe_return_path(address_of(request)))
    if address is None:
        return
    since = person_of(request).stepped_up_at
    if since is not None and console_of(request).now() - since < JUST_NOW:
        raise PageError(
            502,
            "The identity provider did not ask for your second factor",
            "Try again in a minute. An operator compares the callers file's acr with the identity provider's levels.",
        )
    status, headers = (401, None) if is_fragment(request) else (303, {"location": address})
    raise PageError(status, "Another sign-in is needed", "Load the whole page: it leads to the sign-in.", headers)
