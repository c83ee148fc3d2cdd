"""The request of an operation as a curl command, to paste into a terminal. Pure."""

import json
import re
from collections.abc import Mapping

from gateway.console.views.documents import OperationPage
from gateway.console.views.json_values import NOTHING

KEY = "$COLLATE_GATEWAY_KEY"
"""The variable that holds a caller's key: no page shows a credential."""


def curl_of(page: OperationPage, base: str, example: Mapping[str, object] | None = None) -> str:
    """Return a curl command. `base` is the address of the API; path parameters become variables of the shell."""
    path = "/".join(_variable(one) if one.startswith("{") else one for one in page.line.path.split("/"))
    lines = [f'curl --silent --show-error "{base.rstrip("/")}{path}"']
    if not page.is_public:
        lines.append(f'--header "Authorization: Bearer {KEY}"')
    if page.line.method != "GET":
        if any(one.name == "Idempotency-Key" for one in page.parameters):
            lines.append('--header "Idempotency-Key: $(uuidgen)"')
        body = json.dumps(example or NOTHING)
        lines.append("--json '" + body.replace("'", "'\\''") + "'")
    return " \\\n  ".join(lines)


def first_requests(base: str) -> tuple[str, ...]:
    """Return the first requests of a newcomer: who am I, and watch an authorization."""
    address, key = base.rstrip("/"), f'--header "Authorization: Bearer {KEY}"'
    watch = (
        f'curl --silent --show-error "{address}/v1/authorizations/$AUTHORIZATION_ID/watch"',
        key,
        '--header "Idempotency-Key: $(uuidgen)"',
        "--json '{}'",
    )
    return (f'curl --silent --show-error "{address}/v1/me" \\\n  {key}', " \\\n  ".join(watch))


def _variable(place: str) -> str:
    """Return the variable of the shell for a place of a path: `$COMMAND_ID` for `{commandId}`."""
    return "$" + re.sub(r"(?<!^)(?=[A-Z])", "_", place.strip("{}")).upper()
