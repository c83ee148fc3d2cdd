"""docs/collate-errors.md, made from the router's tables."""

from collections.abc import Sequence

from adapters.collate.errors import (
    DEFAULTS,
    OTHERWISE,
    RETRYABLE,
    RULES,
    SUSPENDED,
    UNKNOWN,
    UNSENT,
    Default,
    Disposition,
    Route,
    Rule,
)
from docs_build.markdown import table

_DISPOSITIONS = {
    Disposition.REJECT: "the command is rejected finally; the caller can act on the advice",
    Disposition.DEAD_LETTER: "neither the caller nor time can fix the cause: an operator must decide",
    Disposition.REREAD: "nothing was done: read and decide again; a further write takes the next n",
    Disposition.RESEND: "send the identical request later: same key, same If-Match, same bytes",
    Disposition.SUSPEND: "the command is valid: send the identical request when the budget allows it",
    Disposition.MINT_AGAIN: "no other grant is minted: the caller gets 409 `access-unavailable`, and "
    "requests one under a new key",
}


_PAGE = """# What the gateway does about Collate's errors

Made from `adapters/collate/errors.py` by `make docs`; change it there.

## Dispositions

{dispositions}
## By `error.code`

Every code of `docs/collate-contract.md` §7. The set is open: the status decides about other codes, below.
`retryable: true` turns a reject or dead letter into `reread` (for a read: `resend`). For a read, `reread`
means `resend`. After an ambiguous attempt of the same write, a reject or dead letter becomes `reread`:
that attempt's effect may be the cause of the refusal.

{codes}
## By status, if the code is unknown

{statuses}
`retryable: true` overrides the status, except for 401, 408, 425 and 429.

## Without a definite result

{results}"""


def page() -> str:
    """Return the page."""
    statuses = [
        *[_default(", ".join(map(str, default.statuses)), default) for default in DEFAULTS],
        _default("any other 4xx with `retryable: true`, or `Retry-After` and no `retryable`", RETRYABLE),
        _default("any other 4xx", OTHERWISE),
    ]
    results = [
        _fixed("5xx, typed or not; timeout, reset, cut short, not JSON, redirect; untyped 4xx", UNKNOWN),
        _fixed("nothing was sent: no connection, no tunnel, or the budget defers the call", UNSENT),
        _fixed("401, or a 403 that a second authorization got too", SUSPENDED),
    ]
    return _PAGE.format(
        dispositions=table(("disposition", "meaning"), [(f"`{one}`", _DISPOSITIONS[one]) for one in Disposition]),
        codes=table(("code", "status", "disposition", "reason", "advice"), _rules()),
        statuses=table(("status", "write", "read", "reason", "advice"), statuses),
        results=table(("result", "disposition", "reason", "advice"), results),
    )


def _rules() -> list[Sequence[str]]:
    """Return a row for the codes that the gateway treats alike."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for rule in RULES:
        alike.setdefault(_route(rule), []).append(f"`{rule.code}`")
    return [(", ".join(codes), *route) for route, codes in alike.items()]


def _route(rule: Rule) -> tuple[str, ...]:
    disposition = f"`{rule.disposition}`"
    others = sorted({other.value for other in rule.on.values()})
    if others:
        where = " and ".join(f"`{other}`" for other in others)
        disposition += f" (elsewhere {where})"
    return ", ".join(map(str, rule.statuses)), disposition, f"`{rule.reason}`", rule.advice


def _fixed(result: str, found: Route) -> Sequence[str]:
    return result, f"`{found.disposition}`", f"`{found.reason}`", found.advice


def _default(statuses: str, default: Default) -> Sequence[str]:
    return statuses, f"`{default.write}`", f"`{default.read}`", f"`{default.reason}`", default.advice
