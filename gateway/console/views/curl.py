"""The request of an operation as a curl command, to paste into a terminal. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.console.views.documents import OperationPage

_PLACE = re.compile(r"\{(\w+)\}")
KEY = "$COLLATE_GATEWAY_KEY"
"""The variable that holds a caller's key: no page shows a credential."""


def curl_of(page: OperationPage, base: str, example: Mapping[str, Any] | None = None) -> str:
    """Return a curl command. `base` is the address of the API; path parameters become variables of the shell."""
    path = _PLACE.sub(lambda found: "$" + _variable(found[1]), page.line.path)
    lines = [f'curl --silent --show-error "{base.rstrip("/")}{path}"']
    if not page.is_public:
        lines.append(f'--header "Authorization: Bearer {KEY}"')
    if page.line.method != "GET":
        if any(one.name == "Idempotency-Key" for one in page.parameters):
            lines.append('--header "Idempotency-Key: $(uuidgen)"')
        body = json.dumps(dict(example or {}))
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


def _variable(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
